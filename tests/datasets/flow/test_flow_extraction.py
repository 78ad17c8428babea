import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import running_processes

from repflow_mm.classical_flow import METHODS
from repflow_mm.datasets.flow import extraction as flow_extraction
from repflow_mm.datasets.flow.extraction import FlowOptions, extract_flow
from repflow_mm.datasets.flow.frames import FORMATS
from repflow_mm.datasets.lists import list_runs
from repflow_mm.datasets.lists.list_files import read_frame_list
from repflow_mm.datasets.motion_clips.clips import MotionClipOptions
from repflow_mm.datasets.motion_clips.files import make_motion_clips
from repflow_mm.datasets.video_files import write_video
from repflow_mm.ops.tvl1_parameters import TVL1Parameters
from repflow_mm.testing.video_corpus import make_corpus

FAST = TVL1Parameters(num_scales=1, num_warps=1, inner_iters=2, outer_iters=1)
OPTIONS = FlowOptions(bound=8.0, parameters=FAST)


def extract(folder, options=OPTIONS, out='out', jobs=1, **settings):
    return extract_flow(folder / 'train.txt', folder / out, folder / 'videos', options, jobs, **settings)


def contents(folder):
    """All files of a folder that are not hidden: relative path to bytes."""
    files = {str(path.relative_to(folder)): path for path in folder.rglob('*') if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if not name.startswith('.')}


def hidden(folder):
    return sorted(path.name for path in folder.rglob('.*'))


def test_layout_and_report(folder):
    report = extract(folder, jobs=2)
    out = folder / 'out'
    assert (out / 'train.txt').read_text() == 'a_b/0 2 0\na_b/1 3 2\na_b/2 4 6\n'
    images = {f'a_b/{i}/{c}_{n:05d}.jpg' for i in range(3) for c in 'xy' for n in range(1, i + 3)}
    assert set(contents(out)) == images | {'train.txt', 'train_report.json', 'train_report.txt', 'flow.json'}
    assert hidden(out) == ['.extracted.jsonl', '.lock']
    assert report == {**json.loads((out / 'train_report.json').read_text()), 'extracted_now': 7}
    counts = {status: number for status, number in report['counts'].items() if number}
    assert counts == dict(ok=3, missing=1, empty=1, corrupt=1, short=1)
    lines = (out / 'train_report.txt').read_text().splitlines()
    assert lines[1] == 'whole videos have 3 to 5 frames'
    assert lines[2] == 'line 2: empty.mp4: empty: the file has no bytes'
    assert lines[3] == 'line 4: none.mp4: missing: the file does not exist'
    assert lines[4] == 'line 5: short.mp4: short: the video has 1 frame; flow needs 2'
    assert lines[5].startswith('line 6: cut.mp4: corrupt: ')


def test_a_tiny_video_ends_nothing(tmp_path, here):
    names = ('h264.mp4', 'mpeg4_1x1.mp4', 'mpeg4_b_frames.avi')
    make_corpus(tmp_path, names=names)
    (tmp_path / 'train.txt').write_text(''.join(f'{name} 0\n' for name in names))
    report = extract_flow(tmp_path / 'train.txt', tmp_path / 'out', tmp_path, replace(OPTIONS, format='mp4'), 1)
    assert report['counts']['ok'] == 2 and report['counts']['small'] == 1
    assert report['bad'][0]['path'] == 'mpeg4_1x1.mp4' and 'frames of 1x1: ' in report['bad'][0]['message']


def test_file_a_video(folder, here):
    extract(folder, replace(OPTIONS, format='mp4'))
    assert (folder / 'out' / 'train.txt').read_text() == 'a_b/0.mp4 2 0\na_b/1.mp4 3 2\na_b/2.mp4 4 6\n'
    assert sorted(path.name for path in (folder / 'out' / 'a_b').iterdir()) == ['0.mp4', '1.mp4', '2.mp4']


def test_record(folder, here):
    extract(folder, replace(OPTIONS, short_side=24))
    record = json.loads((folder / 'out' / 'flow.json').read_text())
    assert record['bound'] == 8.0 and record['short_side'] == 24 and record['jpeg_quality'] == 95
    assert record['encoding'] == 'uint8 = round((clip(u, -bound, bound) + bound) / (2 * bound) * 255), u in pixels'
    assert record['method'] == 'tvl1'
    assert {name: record[name] for name in vars(FAST)} == vars(FAST)


@pytest.mark.parametrize('method', METHODS)
def test_record_of_every_method(folder, here, method):
    options = FlowOptions(bound=8.0, method=method, parameters=FAST if method == 'tvl1' else None)
    assert extract(folder, options)['counts']['ok'] == 3
    record = json.loads((folder / 'out' / 'flow.json').read_text())
    assert record['method'] == method
    assert {name: record[name] for name in vars(options.parameters)} == vars(options.parameters)


def test_folder_of_an_earlier_version_is_that_of_tvl1(folder, here):
    extract(folder)
    file = folder / 'out' / 'flow.json'
    record = json.loads(file.read_text())
    file.write_text(json.dumps({name: value for name, value in record.items() if name != 'method'}))
    assert extract(folder)['extracted_now'] == 0
    assert json.loads(file.read_text()) == record


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (replace(OPTIONS, bound=20.0), r'holds flow made with bound=8.0 \(now 20.0\). Take another folder'),
        (replace(OPTIONS, short_side=64), r'short_side=None \(now 64\)'),
        (replace(OPTIONS, parameters=replace(FAST, tau=0.2)), r'tau=0.25 \(now 0.2\)'),
        (FlowOptions(bound=8.0, method='dis'), r"method='tvl1' \(now 'dis'\)"),
        (replace(OPTIONS, format='mp4'), r"format='jpg' \(now 'mp4'\), jpeg_quality=95 \(now None\)"),
    ],
)
def test_other_options_are_refused(folder, here, options, message):
    extract(folder)
    before = contents(folder / 'out')
    with pytest.raises(ValueError, match=message):
        extract(folder, options)
    assert contents(folder / 'out') == before


def test_second_run_does_what_is_new_or_changed(folder, here):
    extract(folder)
    before = contents(folder / 'out')
    assert extract(folder)['extracted_now'] == 0
    assert contents(folder / 'out') == before
    shutil.copy(folder / 'videos' / 'a b' / '1.mp4', folder / 'videos' / 'empty.mp4')
    shutil.copy(folder / 'videos' / 'a b' / '0.mp4', folder / 'videos' / 'a b' / '2.mp4')
    assert extract(folder)['extracted_now'] == 2
    after = contents(folder / 'out')
    assert after['train.txt'] == b'a_b/0 2 0\nempty 3 1\na_b/1 3 2\na_b/2 2 6\n'
    assert len([name for name in after if name.startswith('a_b/2/')]) == 4
    assert after['a_b/2/x_00001.jpg'] == before['a_b/0/x_00001.jpg']
    assert extract(folder, retry=True)['extracted_now'] == 3


def test_flow_that_was_deleted_is_made_again_and_that_of_deleted_videos_kept(folder, here):
    extract(folder)
    before = contents(folder / 'out')
    shutil.rmtree(folder / 'out' / 'a_b' / '0')
    os.unlink(folder / 'videos' / 'a b' / '1.mp4')
    assert extract(folder)['extracted_now'] == 1
    assert contents(folder / 'out') == before


def test_lists_share_a_folder(folder, here):
    extract(folder)
    (folder / 'val.txt').write_text('a b/1.mp4 5\n')
    report = extract_flow(folder / 'val.txt', folder / 'out', folder / 'videos', OPTIONS, 1)
    assert report['extracted_now'] == 0
    assert (folder / 'out' / 'val.txt').read_text() == 'a_b/1 3 5\n'
    # A moved video is the same, one of another size is not.
    shutil.copytree(folder / 'videos', folder / 'moved')
    extract_flow(folder / 'val.txt', folder / 'out', folder / 'moved', OPTIONS, 1)
    shutil.copy(folder / 'videos' / 'a b' / '0.mp4', folder / 'moved' / 'a b' / '1.mp4')
    shutil.rmtree(folder / 'out' / 'a_b' / '2')
    (folder / 'val.txt').write_text('a b/1.mp4 5\na b/2.mp4 6\n')
    os.unlink(folder / 'out' / '.extracted.jsonl')
    extract_flow(folder / 'train.txt', folder / 'out', folder / 'videos', OPTIONS, 1)
    with pytest.raises(ValueError, match=r'out/a_b/1 is the flow of .*/videos/a b/1.mp4, not of .*/moved/a b/1.mp4'):
        extract_flow(folder / 'val.txt', folder / 'out', folder / 'moved', OPTIONS, 1)


def test_stop_within_a_video(folder, here, monkeypatch):
    """Neither what an interrupt leaves nor an older flow is in the way."""
    extract(folder, out='whole')
    written = []

    def write_bytes(path, data, write=Path.write_bytes):
        written.append(path)
        if len(written) == 5:
            raise KeyboardInterrupt
        return write(path, data)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, 'write_bytes', write_bytes)
        extract(folder)
    assert set(contents(folder / 'out')) == {'flow.json', *(f'a_b/0/{c}_0000{n}.jpg' for c in 'xy' for n in (1, 2))}
    (folder / 'out' / '.unfinished' / str(os.getpid())).mkdir(parents=True)
    assert extract(folder)['extracted_now'] == 5
    assert contents(folder / 'out') == contents(folder / 'whole')
    assert hidden(folder / 'out') == ['.extracted.jsonl', '.lock']


def test_kill_between_flow_and_journal(folder, here):
    """Whole flow that the journal does not know is replaced as a whole."""
    extract(folder)
    before = contents(folder / 'out')
    os.unlink(folder / 'out' / '.extracted.jsonl')
    (folder / 'out' / 'a_b' / '1' / 'x_00009.jpg').touch()
    assert extract(folder)['extracted_now'] == 7
    assert contents(folder / 'out') == before


def fail_after(count, write):
    written = []

    def write_or_fail(*arguments):
        written.append(arguments)
        if len(written) > count:
            raise OSError(errno.ENOSPC, 'No space left on device')
        return write(*arguments)

    return write_or_fail


NO_SPACE = r'no space is left to write to .*out; every flow there is whole, and the same command goes on from here'


def test_full_disk_at_an_image(folder, here, monkeypatch):
    extract(folder, out='whole')
    with monkeypatch.context() as patch, pytest.raises(OSError, match=NO_SPACE):
        patch.setattr(Path, 'write_bytes', fail_after(5, Path.write_bytes))
        extract(folder)
    assert not (folder / 'out' / 'a_b' / '1').exists() and not (folder / 'out' / 'train.txt').exists()
    assert extract(folder)['extracted_now'] == 5
    assert contents(folder / 'out') == contents(folder / 'whole')


def test_full_disk_at_the_journal(folder, here, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(OSError, match=NO_SPACE):
        patch.setattr(list_runs.Journal, 'add', fail_after(1, list_runs.Journal.add))
        extract(folder)
    assert not (folder / 'out' / 'train.txt').exists()
    assert extract(folder)['extracted_now'] == 6


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 160 kB."""
    disk = tmp_path / 'disk'
    disk.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=160k', 'tmpfs', str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip('no file system can be mounted')
    yield disk
    subprocess.run(['umount', '-l', str(disk)], check=True)


@pytest.mark.parametrize('format', FORMATS)
def test_small_disk(folder, here, small_disk, format):
    options = replace(OPTIONS, format=format)
    rng = np.random.default_rng(0)
    for i in range(8):
        write_video(folder / 'videos' / f'{i}.mp4', rng.integers(0, 255, (12, 64, 64, 3), np.uint8), fps=8)
    (folder / 'train.txt').write_text(''.join(f'{i}.mp4 0\n' for i in range(8)))
    extract(folder, options)
    whole = contents(folder / 'out')
    message = 'no space is left to write to .*disk' if format == 'jpg' else r'cannot write .*\.mp4'
    with pytest.raises(OSError, match=message):
        extract_flow(folder / 'train.txt', small_disk, folder / 'videos', options, 1)
    kept = contents(small_disk)
    assert 1 < len(kept) < len(whole) and set(kept.items()) <= set(whole.items())
    assert 'train.txt' not in kept
    subprocess.run(['mount', '-o', 'remount,size=8m', str(small_disk)], check=True)
    assert 0 < extract_flow(folder / 'train.txt', small_disk, folder / 'videos', options, 1)['extracted_now'] < 8
    after = contents(small_disk)
    assert {name: after[name] for name in whole if 'report' not in name} == {
        name: content for name, content in whole.items() if 'report' not in name
    }


RUN = """
import sys
from repflow_mm.datasets.flow.extraction import FlowOptions, extract_flow

clips, out, format = sys.argv[1:]
extract_flow(f'{clips}/train.txt', out, clips, FlowOptions(8.0, format=format), jobs=2, batch=4)
"""


@pytest.fixture(scope='module')
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp('clips')
    make_motion_clips(folder, MotionClipOptions(train=16, val=1, size=48, length=10), jobs=1)
    return folder


@pytest.mark.parametrize(('format', 'finished'), [('jpg', 1), ('mp4', 6)])
def test_killed_run_goes_on(tmp_path, clips, here, format, finished):
    """A run in processes, killed and started anew, gives the files of one that was not disturbed, byte for byte."""
    out, journal = tmp_path / 'out', tmp_path / 'out' / '.extracted.jsonl'
    command = [sys.executable, '-c', RUN, str(clips), str(out), format]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not journal.exists() or journal.read_bytes().count(b'\n') < finished:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait(60) != 0
    while running_processes(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    left = contents(out)
    again = [
        extract_flow(clips / 'train.txt', folder, clips, FlowOptions(8.0, format=format), 1, batch=4)
        for folder in (tmp_path / 'whole', out)
    ]
    assert again[0]['extracted_now'] == 16 and finished <= 16 - again[1]['extracted_now'] < 16
    whole = contents(tmp_path / 'whole')
    assert 'train.txt' not in left and set(left.items()) < set(whole.items())
    assert contents(out) == whole
    assert hidden(out) == ['.extracted.jsonl', '.lock']


def test_second_run_at_the_same_time_is_refused(folder):
    code = (
        'import fcntl, sys; f = open(sys.argv[1], "w"); fcntl.lockf(f, fcntl.LOCK_EX);'
        'print("locked", flush=True); sys.stdin.read()'
    )
    (folder / 'out').mkdir()
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with subprocess.Popen([sys.executable, '-c', code, folder / 'out' / '.lock'], **pipes) as other:
        other.stdout.readline()
        with pytest.raises(OSError, match='another run is writing to'):
            extract(folder)


def test_refused_lines_do_not_keep_the_others_from_their_flow(folder):
    videos = folder / 'videos'
    first = min((videos / 'a b').iterdir())
    for name in ('flow.json.mp4', 'c.mp4'):
        shutil.copy(first, videos / name)
    (folder / 'list.txt').write_text('flow.json.mp4 0\n. 0\nc.mp4 1\nc.avi 1\n')
    options = dict(videos=videos, options=FlowOptions(bound=5.0), jobs=1)
    report = extract_flow(folder / 'list.txt', folder / 'flow', **options)
    assert (report['counts']['ok'], report['counts']['refused'], report['extracted_now']) == (1, 3, 1)
    assert [(bad['line'], bad['status']) for bad in report['bad']] == [(n, 'refused') for n in (1, 2, 4)]
    assert (folder / 'flow' / 'list.txt').read_text().startswith('c ')
    assert json.loads((folder / 'flow' / 'flow.json').read_text())['bound'] == 5


def test_several_labels_are_kept(folder):
    first = min((folder / 'videos' / 'a b').iterdir()).relative_to(folder / 'videos')
    (folder / 'list.txt').write_text(f'{first} 2 0\n')
    options = dict(videos=folder / 'videos', options=FlowOptions(bound=5.0), jobs=1, multi_class=True)
    assert extract_flow(folder / 'list.txt', folder / 'flow', **options)['counts']['ok'] == 1
    entry = read_frame_list(folder / 'flow' / 'list.txt', several=True)[0]
    assert entry.labels == (2, 0) and entry.path == str(first.with_suffix('')).replace(' ', '_')


def test_flow_of_videos_outside_stays_within_the_folder_of_flow(folder, tmp_path):
    before = set(tmp_path.rglob('*'))
    videos = folder / 'empty folder'
    videos.mkdir()
    (folder / 'list.txt').write_text(f'{min((folder / "videos" / "a b").iterdir())} 0\n')
    options = dict(videos=videos, options=FlowOptions(bound=5.0), jobs=1)
    with pytest.raises(ValueError, match='lies outside of the folder'):
        extract_flow(folder / 'list.txt', folder / 'flow', **options)
    assert extract_flow(folder / 'list.txt', folder / 'flow', **options, allow_outside=True)['counts']['ok'] == 1
    made = set(tmp_path.rglob('*')) - before - {videos, folder / 'list.txt'}
    assert made and all(path.is_relative_to(folder / 'flow') for path in made)


def test_errors(folder):
    with pytest.raises(ValueError, match='jobs must be >= 1, got 0'):
        extract(folder, jobs=0)
    with pytest.raises(ValueError, match='batch must be >= 1, got 0'):
        extract(folder, batch=0)
    with pytest.raises(ValueError, match='timeout must be > 0 seconds, got 0'):
        extract(folder, timeout=0)
    with pytest.raises(ValueError, match="device must be 'cpu', 'cuda' or 'cuda:<index>', got 'gpu'"):
        extract(folder, device='gpu')
    with pytest.raises(ValueError, match='bound must be > 0 and finite, in pixels, got 0'):
        FlowOptions(bound=0)
    with pytest.raises(TypeError, match="bound must be a number, got str 'a'"):
        FlowOptions(bound='a')
    with pytest.raises(TypeError, match='bound must be a number, got bool True'):
        FlowOptions(bound=True)
    with pytest.raises(ValueError, match='short_side must be >= 2, got 1'):
        FlowOptions(short_side=1)
    with pytest.raises(TypeError, match=r'short_side must be an int, got float 24\.0'):
        FlowOptions(short_side=24.0)
    with pytest.raises(ValueError, match=r"method must be one of \('tvl1', 'brox', 'farneback', 'dis'\), got 'hs'"):
        FlowOptions(method='hs')
    with pytest.raises(TypeError, match="parameters of 'dis' must be DISParameters, got TVL1Parameters"):
        FlowOptions(method='dis', parameters=FAST)
    with pytest.raises(ValueError, match=r"format must be one of \('jpg', 'mp4'\), got 'png'"):
        FlowOptions(format='png')
    (folder / 'out').mkdir()
    (folder / 'out' / 'notes.txt').touch()
    with pytest.raises(ValueError, match=r"holds \['notes.txt'\] but no flow.json; take an empty folder"):
        extract(folder)


def test_missing_device(folder, monkeypatch):
    monkeypatch.setattr(flow_extraction.torch.cuda, 'is_available', lambda: False)
    with pytest.raises(ValueError, match="device is 'cuda:0', but torch finds no CUDA device"):
        extract(folder, device='cuda:0')
