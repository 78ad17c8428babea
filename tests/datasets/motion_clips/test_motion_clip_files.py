import errno
import fcntl
import json
import signal
import subprocess
import sys
import time
from functools import partial

import cv2
import decord
import numpy as np
import pytest
from helpers import run_python, running_processes

from repflow_mm.datasets.motion_clips import files as motion_clip_files
from repflow_mm.datasets.motion_clips.clips import MotionClipOptions, render_clip
from repflow_mm.datasets.motion_clips.files import clip_path, list_lines, make_motion_clips, write_video
from repflow_mm.datasets.motion_clips.motions import MOTIONS


def small_options(**changes):
    return MotionClipOptions(**{**dict(train=10, val=8, size=32, length=5), **changes})


def contents(folder):
    """All files of a folder but the lock: relative path to bytes."""
    files = [path for path in folder.rglob('*') if path.is_file() and path.name != '.lock']
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def read_list(folder, split):
    return [line.split() for line in (folder / f'{split}.txt').read_text().splitlines()]


def test_layout(tmp_path):
    out = tmp_path / 'some' / 'folder'
    assert make_motion_clips(out, small_options(), jobs=1) == 18
    train, val = read_list(out, 'train'), read_list(out, 'val')
    assert train[0] == ['train/left_00000.mp4', '0'] and train[9] == ['train/right_00001.mp4', '1']
    assert [label for _, label in val] == list('01234567')
    names = {'train.txt', 'val.txt', 'classes.txt', 'dataset.json', *(path for path, _ in train + val)}
    assert set(contents(out)) == names
    assert (out / 'classes.txt').read_text().split() == list(small_options().classes)
    assert json.loads((out / 'dataset.json').read_text())['size'] == 32


def test_lists_in_the_order_of_the_clips():
    options = small_options(classes=('up', 'zoom_in'), val=3)
    assert list_lines(options, 'val') == ['val/up_00000.mp4 0', 'val/zoom_in_00000.mp4 1', 'val/up_00001.mp4 0']
    assert clip_path(options, 'train', 7) == 'train/zoom_in_00003.mp4'


def test_files_do_not_depend_on_the_number_of_processes(tmp_path):
    for jobs in (1, 2):
        assert make_motion_clips(tmp_path / str(jobs), small_options(), jobs=jobs) == 18
    assert contents(tmp_path / '1') == contents(tmp_path / '2')


AFTER_OPENCV_THREADS = """
import sys
import cv2
import numpy as np
from repflow_mm.datasets.motion_clips.files import make_motion_clips
from repflow_mm.datasets.motion_clips.clips import MotionClipOptions
cv2.setNumThreads(2)
cv2.resize(np.zeros((4000, 4000, 3), np.uint8), (3000, 3000), interpolation=cv2.INTER_AREA)
make_motion_clips(sys.argv[1], MotionClipOptions(train=8, val=8, size=32, length=4), jobs=2)
print(cv2.getNumThreads())
"""


def test_processes_start_where_opencv_has_run_threads(tmp_path):
    done = run_python('-c', AFTER_OPENCV_THREADS, tmp_path / 'clips', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == '2\n' and len(list((tmp_path / 'clips').glob('*/*.mp4'))) == 16


@pytest.mark.parametrize('variant', ['easy', 'hard'])
def test_decord_reads_what_was_rendered(tmp_path, variant):
    options = MotionClipOptions.from_variant(variant, length=13, fps=20)
    frames = render_clip(options, 'train', 4)
    write_video(tmp_path / 'clip.mp4', frames, options.fps)
    reader = decord.VideoReader(str(tmp_path / 'clip.mp4'))
    assert reader.get_avg_fps() == 20
    decoded = reader.get_batch(range(len(reader))).asnumpy()[..., ::-1]  # RGB -> BGR
    assert decoded.shape == frames.shape
    error = (decoded.astype(float) - frames).mean(-1)
    assert np.sqrt((error**2).mean()) < 8


@pytest.mark.parametrize('speed', [0.1, 1.5])
@pytest.mark.parametrize('index', range(8))
def test_coding_keeps_the_motion_of_every_class(tmp_path, index, speed):
    """DIS flow of the decoded file, fast and slow, is the velocity field of the class."""
    options = MotionClipOptions(speed=(speed, speed))
    path = str(tmp_path / 'clip.mp4')
    write_video(path, render_clip(options, 'train', index), options.fps)
    decoded = decord.VideoReader(path).get_batch(range(options.length)).asnumpy()
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in decoded]
    solver = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = np.mean([solver.calc(first, second, None) for first, second in zip(grey, grey[1:])], axis=0)[8:-8, 8:-8]
    y, x = np.mgrid[:64, :64][:, 8:-8, 8:-8] - 31.5
    motion = MOTIONS[options.classes[index]].at_speed(speed, 64)
    expected = motion.velocity + motion.rate * (x + 1j * y)
    measured = flow[..., 0] + 1j * flow[..., 1]
    # Projection of the measured field on the true one: 1 where both agree, 0 for another direction.
    assert (measured * expected.conjugate()).real.sum() / (abs(expected) ** 2).sum() == pytest.approx(1, abs=0.4)


def test_second_run_writes_nothing(tmp_path):
    make_motion_clips(tmp_path, small_options(), jobs=1)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob('*.*') if path.name != '.lock'}
    assert make_motion_clips(tmp_path, small_options(), jobs=2) == 0
    assert times == {path: path.stat().st_mtime_ns for path in times}


def test_run_that_failed_goes_on(tmp_path, monkeypatch):
    make_motion_clips(tmp_path / 'whole', small_options(), jobs=1)
    written = []

    def fail_after_five(path, *args):
        if len(written) == 5:
            raise KeyboardInterrupt
        written.append(path)
        write_video(path, *args)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(motion_clip_files, 'write_video', fail_after_five)
        make_motion_clips(tmp_path / 'cut', small_options(), jobs=1)
    assert not (tmp_path / 'cut' / 'train.txt').exists()
    assert make_motion_clips(tmp_path / 'cut', small_options(), jobs=1) == 13
    assert contents(tmp_path / 'cut') == contents(tmp_path / 'whole')


SLOW_RUN = """
import sys, time
from repflow_mm.datasets.motion_clips import files

def write_slowly(*args, write=files.write_video):
    time.sleep(0.05)
    write(*args)

files.write_video = write_slowly
files.make_motion_clips(sys.argv[1], files.MotionClipOptions(train=200, val=8, size=32, length=5), jobs=2)
"""


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGKILL])
def test_killed_run_goes_on(tmp_path, number):
    """Neither an interrupt nor a kill leaves a damaged file, a held lock or a process."""
    # A test run in the background has interrupts ignored, which its children would inherit.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    command = [sys.executable, '-c', SLOW_RUN, tmp_path]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL, preexec_fn=heed)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob('train/[a-z]*.mp4'))) < 10:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(60) != 0
    while running_processes(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    complete = [path for path in tmp_path.glob('train/*.mp4') if not path.name.startswith('.')]
    assert 10 <= len(complete) < 200 and not (tmp_path / 'train.txt').exists()
    assert {len(decord.VideoReader(str(path))) for path in complete} == {5}
    options = small_options(train=200)
    assert make_motion_clips(tmp_path, options, jobs=1) == 208 - len(complete)
    assert not list(tmp_path.rglob('.*.tmp*'))


def test_other_parameters_are_refused_unless_overwritten(tmp_path):
    make_motion_clips(tmp_path, small_options(), jobs=1)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=r'holds clips made with size=32 \(now 16\), seed=0 \(now 1\).*--overwrite'):
        make_motion_clips(tmp_path, small_options(size=16, seed=1), jobs=1)
    assert contents(tmp_path) == before
    assert make_motion_clips(tmp_path, small_options(train=8, size=16), jobs=1, overwrite=True) == 16
    assert len(contents(tmp_path)) == 16 + 4


def test_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / 'notes.txt').write_text('mine')
    for overwrite in (False, True):
        with pytest.raises(ValueError, match=r"holds \['notes.txt'\] but no dataset.json"):
            make_motion_clips(tmp_path, small_options(), jobs=1, overwrite=overwrite)
    assert contents(tmp_path) == {'notes.txt': b'mine'}


@pytest.mark.parametrize('text', ['{"size": ', '3'])
def test_unreadable_parameters_are_refused(tmp_path, text):
    (tmp_path / 'dataset.json').write_text(text)
    with pytest.raises(ValueError, match='dataset.json cannot be read'):
        make_motion_clips(tmp_path, small_options(), jobs=1)


def test_wrong_jobs(tmp_path):
    with pytest.raises(ValueError, match='jobs must be >= 1, got 0'):
        make_motion_clips(tmp_path, small_options(), jobs=0)


def test_second_run_at_the_same_time_is_refused(tmp_path):
    code = (
        'import fcntl, sys; f = open(sys.argv[1], "w"); fcntl.lockf(f, fcntl.LOCK_EX);'
        'print("locked", flush=True); sys.stdin.read()'
    )
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with subprocess.Popen([sys.executable, '-c', code, tmp_path / '.lock'], **pipes) as other:
        other.stdout.readline()
        with pytest.raises(OSError, match='another run is writing to'):
            make_motion_clips(tmp_path, small_options(), jobs=1)


def test_file_system_without_locks(tmp_path, monkeypatch):
    def lockf(*_):
        raise OSError(errno.ENOSYS, 'no locks')

    monkeypatch.setattr(fcntl, 'lockf', lockf)
    assert make_motion_clips(tmp_path, small_options(), jobs=1) == 18


def test_writer_that_does_not_open(tmp_path):
    frames = render_clip(small_options(), 'train', 0)
    with pytest.raises(OSError, match='clip.mp4: OpenCV cannot open'):
        write_video(tmp_path / 'missing' / 'clip.mp4', frames, 16)


def test_truncated_file_is_not_kept(tmp_path, monkeypatch):
    """A writer that drops frames without a word, as on a full disk."""

    class DroppingWriter:
        def __init__(self, *args):
            self.writer, self.count = open_writer(*args), 0

        def write(self, frame):
            self.count += 1
            if self.count <= 2:
                self.writer.write(frame)

        def __getattr__(self, name):
            return getattr(self.writer, name)

    open_writer = cv2.VideoWriter
    monkeypatch.setattr(cv2, 'VideoWriter', DroppingWriter)
    with pytest.raises(OSError, match='2 of 5 frames can be read back'):
        write_video(tmp_path / 'clip.mp4', render_clip(small_options(), 'train', 0), 16)
    assert not list(tmp_path.iterdir())


def test_full_disk(tmp_path):
    """/dev/full stands for the disk: every write to it fails."""
    (tmp_path / '.clip.tmp.mp4').symlink_to('/dev/full')
    with pytest.raises(OSError, match='cannot write .*clip.mp4'):
        write_video(tmp_path / 'clip.mp4', render_clip(small_options(), 'train', 0), 16)
    assert not (tmp_path / 'clip.mp4').exists()


def test_failure_in_a_worker_is_reported(tmp_path):
    options = small_options()
    make_motion_clips(tmp_path, options, jobs=1)
    (tmp_path / 'train.txt').unlink()
    for split in ('train', 'val'):
        for path in (tmp_path / split).iterdir():
            path.unlink()
    (tmp_path / 'train').rmdir()
    (tmp_path / 'train').write_text('in the way')
    with pytest.raises(OSError, match='train'):
        make_motion_clips(tmp_path, options, jobs=2)
