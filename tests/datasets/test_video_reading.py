import struct

import numpy as np
import pytest

from repflow_mm.datasets.video_files import write_video
from repflow_mm.datasets.video_reading import BadVideoError, decode_video, read_frames


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
        assert decode_video(str(tmp_path / name)) == dict(status='ok', frames=40, message='')


def test_bad_videos(tmp_path, video):
    early_index = index_first(video)
    contents = {
        'nothing.mp4': b'',
        'garbage.mp4': b'hello' * 1000,
        'truncated.mp4': video[: len(video) // 2],
        'truncated_index_first.mp4': early_index[: len(early_index) // 2],
        'zeroed.mp4': video[:2000] + bytes(len(video) - 4000) + video[-2000:],
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    paths = [str(tmp_path / name) for name in (*contents, 'none.mp4')]
    results = [decode_video(path) for path in paths]
    assert [result['status'] for result in results] == ['empty', *['corrupt'] * 4, 'missing']
    assert results[0]['message'] == 'the file has no bytes'
    assert 'Error reading' in results[1]['message']
    assert results[4]['message'].startswith('Check failed: avcodec_send_packet')
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
