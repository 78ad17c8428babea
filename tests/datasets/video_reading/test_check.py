import struct
from dataclasses import replace

import numpy as np
import pytest

from repflow_mm.datasets.video_files import write_video
from repflow_mm.datasets.video_reading import GOOD_STATUSES, BadVideoError, check_video, open_video, read_frames
from repflow_mm.testing.video_corpus import make_corpus, make_random_videos
from repflow_mm.testing.video_corpus.damage import flip_bytes, mp4_boxes
from repflow_mm.testing.video_corpus.formats import FORMATS, write_format
from repflow_mm.testing.video_corpus.pictures import picture


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    """Bytes of a clip of 40 frames."""
    path = tmp_path_factory.mktemp('video') / 'video.mp4'
    frames = np.random.default_rng(0).integers(0, 255, (40, 64, 64, 3), dtype=np.uint8)
    write_video(path, frames, fps=16)
    return path.read_bytes()


def index_first(video):
    """The same mp4 with its index ('moov') before the frames ('mdat'), as videos from the web have it."""
    data, index = video.find(b'mdat') - 4, video.find(b'moov') - 4
    box = bytearray(video[index:])
    table = box.find(b'stco') + 8
    for i in range(struct.unpack_from('>I', box, table)[0]):
        at = table + 4 * (i + 1)
        struct.pack_into('>I', box, at, struct.unpack_from('>I', box, at)[0] + len(box))
    return video[:data] + bytes(box) + video[data:index]


def test_whole_videos(tmp_path, video):
    for name, content in (('a.mp4', video), ('b.mp4', index_first(video))):
        (tmp_path / name).write_bytes(content)
        assert check_video(str(tmp_path / name)) == dict(status='ok', frames=40, message='')


def test_fragmented_videos_that_are_cut_off(tmp_path):
    (whole,) = make_corpus(tmp_path, names=['h264_fragmented.mp4'])
    content, path = whole.path.read_bytes(), tmp_path / 'cut.mp4'
    (kind, start, end) = list(mp4_boxes(content))[-2]
    assert kind == b'mdat'
    # Where the last samples would begin, and within what says where they are: FFmpeg finds the frames before alone.
    for at, missing in ((start, end - start), (start - 60, 52)):
        path.write_bytes(content[:at])
        message = f'the file is cut off: its last fragment lacks {missing} bytes'
        assert check_video(str(path)) == dict(status='corrupt', frames=0, message=message)
        with pytest.raises(BadVideoError, match=message):
            open_video('bytes.mp4', content=content[:at])
    for rest in (b'', b'\0' * 100, b'no box, but text'):
        path.write_bytes(content[:end] + rest)
        assert check_video(str(path)) == dict(status='ok', frames=40, message='')


def test_bad_videos(tmp_path, video):
    early_index = index_first(video)
    contents = {
        'nothing.mp4': b'',
        'garbage.mp4': b'hello\0' * 1000,
        'text.mp4': b'hello' * 1000,
        'truncated.mp4': video[: len(video) // 2],
        'truncated_index_first.mp4': early_index[: len(early_index) // 2],
        'zeroed.mp4': video[:2000] + bytes(len(video) - 4000) + video[-2000:],
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    paths = [str(tmp_path / name) for name in (*contents, 'none.mp4')]
    results = [check_video(path) for path in paths]
    assert [result['status'] for result in results] == ['empty', *['corrupt'] * 5, 'missing']
    assert results[0]['message'] == 'the file has no bytes'
    assert results[2]['message'] == "the file is text, which begins b'hellohellohellohello'"
    assert 'moov atom not found' in results[3]['message']
    assert results[4]['message'].startswith('the packet at byte ')
    for path, result in zip(paths, results):
        with pytest.raises(BadVideoError) as error:
            list(read_frames(path))
        assert (error.value.status, error.value.message) == (result['status'], result['message'])


def test_frames_in_order(tmp_path):
    levels = np.arange(20, 220, 20, dtype=np.uint8)
    red = np.stack([np.full((32, 32, 3), (0, 0, level), np.uint8) for level in levels])  # in OpenCV's order
    write_video(tmp_path / 'red.mp4', red, fps=16)
    frames = np.stack(list(read_frames(str(tmp_path / 'red.mp4'))))
    assert frames.shape == (10, 32, 32, 3) and frames.dtype == np.uint8
    assert abs(frames[..., 0].mean(axis=(1, 2)) - levels).max() < 12
    assert frames[..., 2].mean() < 40


def assert_right(video, result):
    """Good videos are good, and of the others FFmpeg's word counts."""
    name, status = video.path.name, result['status']
    if video.is_good:
        assert status in GOOD_STATUSES, (name, result)
        assert result['frames'] == len(video.numbers), name
        assert bool(result['message']) == (status == 'in_order'), name
    elif not video.is_silent:
        assert status in ('corrupt', 'empty') and result['message'], (name, result)


def test_every_file_of_the_corpus(video_corpus):
    for corpus_video in video_corpus:
        assert_right(corpus_video, check_video(str(corpus_video.path)))


def test_random_videos(tmp_path):
    for corpus_video in make_random_videos(tmp_path, 60, seed=7):
        assert_right(corpus_video, check_video(str(corpus_video.path)))


@pytest.mark.parametrize('file', ['mpeg4.mp4', 'h264_one_gop.mp4'])
def test_flipped_bytes(tmp_path, file):
    """Each of eight files with 3 or 10 bytes changed is reported."""
    path = tmp_path / 'whole.mp4'
    whole = next(format for format in FORMATS if format.file == file)
    write_format(path, replace(whole, size=(64, 96)), [picture(number, 64, 96) for number in range(100)])
    assert check_video(str(path))['status'] == 'ok'
    for number in (3, 10):
        for seed in range(4):
            damaged = tmp_path / 'damaged.mp4'
            damaged.write_bytes(flip_bytes(number)(path.read_bytes(), np.random.default_rng((number, seed))))
            assert check_video(str(damaged))['status'] == 'corrupt', (number, seed)


def test_the_fault_of_another_video_is_not_told_of_the_next(tmp_path):
    names = ('mpeg4_3_bytes.mp4', 'mpeg4_blank_pictures.mp4', 'mpeg4.mp4')
    good, *damaged = (str(video.path) for video in make_corpus(tmp_path, names=names))
    for path in damaged:
        assert [check_video(path)['status'] for path in (path, path, good, path)] == [*['corrupt'] * 2, 'ok', 'corrupt']
