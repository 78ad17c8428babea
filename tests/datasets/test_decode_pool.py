import os
import signal
import struct

import numpy as np
import pytest

from repflow_mm.datasets import decode_pool
from repflow_mm.datasets.decode_pool import decode_all, decode_video
from repflow_mm.datasets.motion_clip_files import write_video


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
    results = dict(decode_all(paths, jobs=2, timeout=30))
    assert [results[path]['status'] for path in paths] == ['empty', *['corrupt'] * 4, 'missing']
    assert results[paths[0]]['message'] == 'the file has no bytes'
    assert 'Error reading' in results[paths[1]]['message']
    assert results[paths[4]]['message'].startswith('Check failed: avcodec_send_packet')


def decode_or_crash(path):
    if path.endswith('crash.mp4'):
        os.kill(os.getpid(), signal.SIGKILL)
    if path.endswith('exit.mp4'):
        os._exit(3)
    return decode_video(path)


def test_hang_and_crash_end_neither_the_run_nor_other_videos(tmp_path, video):
    names = ['hang.mp4', 'crash.mp4', 'a.mp4', 'exit.mp4', 'b.mp4']
    os.mkfifo(tmp_path / 'hang.mp4')
    for name in names[1:]:
        (tmp_path / name).write_bytes(video)
    paths = [str(tmp_path / name) for name in names]
    results = dict(decode_all(paths, 2, 1.5, decode_or_crash))
    assert [results[path]['status'] for path in paths] == ['timeout', 'crash', 'ok', 'crash', 'ok']
    assert results[paths[0]]['message'] == 'decoding took more than 1.5 s'
    assert results[paths[1]]['message'] == f'decoding ended its process with signal {signal.SIGKILL.value}'
    assert results[paths[3]]['message'] == 'decoding ended its process with exit status 3'


def tell_process(path):
    return dict(status='ok', process=os.getpid())


def test_workers_are_renewed(monkeypatch):
    monkeypatch.setattr(decode_pool, 'VIDEOS_PER_WORKER', 2)
    processes = [result['process'] for _, result in decode_all(map(str, range(5)), 1, 30, tell_process)]
    assert processes[0] == processes[1] != processes[2] == processes[3] != processes[4]


def test_no_videos():
    assert list(decode_all([], jobs=2, timeout=30)) == []
