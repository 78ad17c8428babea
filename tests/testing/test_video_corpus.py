import ctypes
import os

import av
import numpy as np
import pytest

from repflow_mm.testing.video_corpus import corpus_names, make_corpus, make_random_videos, picture, picture_number
from repflow_mm.testing.video_corpus.corpus import decoded
from repflow_mm.testing.video_corpus.formats import FORMATS, VideoFormat, write_format

SOME = (
    'mpeg4_b_frames.avi',
    'h264_turned_90.mp4',
    'h264_edit_list.mp4',
    'hevc_3_bytes.mp4',
    'playlist.m3u',
    'empty.mp4',
)


def decode(path):
    """The upright frames of a video, by PyAV, from the first to the last."""
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams.video[0]):
            yield np.rot90(frame.to_ndarray(format='rgb24'), frame.rotation // 90)


@pytest.mark.parametrize('size', [(64, 64), (16, 16), (48, 72), (47, 63), (1, 1), (2, 2)])
def test_pictures_show_their_numbers(size):
    numbers = range(9) if min(size) < 16 else range(256)
    for number in numbers:
        image = picture(number, *size, seed=3)
        assert image.shape == (*size, 3) and image.dtype == np.uint8
        assert picture_number(image) == number


def test_good_videos_show_what_is_said_of_them(video_corpus):
    assert [video.path.name for video in video_corpus] == corpus_names()
    good = [video for video in video_corpus if video.is_good]
    assert len(good) > len(FORMATS)
    for video in good:
        frames = list(decode(video.path))
        assert tuple(map(picture_number, frames)) == video.numbers, video.path.name
        assert frames[0].shape == (*video.size, 3), video.path.name


def test_the_same_seed_gives_the_same_files(tmp_path):
    first, again = (make_corpus(tmp_path / name, seed=1, names=SOME) for name in ('first', 'again'))
    other = make_corpus(tmp_path / 'other', seed=2, names=SOME)
    assert {video.path.name for video in first} == set(SOME)
    for a, b, c in zip(first, again, other):
        assert a.path.read_bytes() == b.path.read_bytes()
        assert (a.state, a.why, a.numbers) == (b.state, b.why, b.numbers)
        if a.numbers:
            assert a.path.read_bytes() != c.path.read_bytes()


@pytest.fixture
def fill_memory():
    """Let memory that is taken from the heap hold a byte, as what was there before may."""
    libc = ctypes.CDLL(None)
    if not hasattr(libc, 'mallopt'):
        pytest.skip('the C library is not the GNU one')
    perturb = -6
    yield lambda byte: libc.mallopt(perturb, byte)
    libc.mallopt(perturb, 0)


@pytest.mark.parametrize('format', FORMATS, ids=lambda format: format.file)
def test_files_do_not_depend_on_what_was_in_memory(tmp_path, fill_memory, format):
    """An encoder that reads what it never wrote gives other files, of which other damage is noticed."""
    frames, written = [picture(number, *format.size) for number in range(format.frames or 40)], []
    for byte in (1, 170):
        fill_memory(byte)
        write_format(tmp_path / format.file, format, frames)
        written.append((tmp_path / format.file).read_bytes())
    assert written[0] == written[1]


@pytest.mark.skipif(not hasattr(os, 'sched_getscheduler'), reason='the system has no scheduling policies')
def test_an_encoder_leaves_the_scheduling_of_this_process(tmp_path):
    """SVT-AV1 with several threads makes root's processes real-time ones."""
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    frames = [picture(number, 64, 64) for number in range(40)]
    write_format(tmp_path / 'av1.mp4', VideoFormat('av1.mp4', 'libsvtav1'), frames)
    assert (os.sched_getscheduler(0), os.sched_getparam(0)) == before


def test_damage_changes_pictures(tmp_path):
    names = ('h264_b_frames.mp4', 'h264_b_frames_3_bytes.mp4', 'h264_b_frames_truncated.mp4')
    digests = {decoded(video.path).digest for video in make_corpus(tmp_path, names=names)}
    assert len(digests) == 3


def test_random_videos(tmp_path):
    first, again = (make_random_videos(tmp_path / name, 30, seed=5) for name in ('first', 'again'))
    assert [video.path.name for video in first] == [video.path.name for video in again]
    assert all(a.path.read_bytes() == b.path.read_bytes() for a, b in zip(first, again))
    assert {video.state for video in first} >= {'good', 'damaged'}


def test_what_is_not_in_the_corpus(tmp_path):
    with pytest.raises(ValueError, match=r"the corpus has no files \['h265.mp4'\]; it has \[.*'hevc.mp4'"):
        make_corpus(tmp_path, names=['h265.mp4'])
    for make in (make_corpus, lambda folder, frames: make_random_videos(folder, 1, frames=frames)):
        with pytest.raises(ValueError, match='frames must be 40 to 256, got 39'):
            make(tmp_path, frames=39)


def test_what_ffmpeg_cannot_notice(video_corpus):
    silent = {video.path.name for video in video_corpus if video.is_silent}
    assert silent and not {name for name in silent if name.startswith(('mpeg4', 'mpeg2'))}
    assert all(video.state == 'damaged' for video in video_corpus if video.is_silent)
