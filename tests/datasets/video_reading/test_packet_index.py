import pytest

from repflow_mm.datasets.video_reading.packet_index import PacketIndex, PacketRow, unseekable_reason


def rows(times, keys, hidden=(), size=100):
    return [PacketRow((time, size), place in keys, place in hidden) for place, time in enumerate(times)]


def test_frames_and_key_frames_by_time():
    index = PacketIndex(rows([0, 3, 1, 2, 4, 7, 5, 6], keys=(0, 4)), 'h264')
    assert index.problem == '' and list(index.times) == list(range(8))
    assert [key.number for key in index.keys] == [0, 4]
    assert [index.key_before(number).number for number in (0, 3, 4, 7)] == [0, 0, 4, 4]


def test_open_group():
    """Frames 2 and 3 come behind the key frame 4 and are shown before it."""
    index = PacketIndex(rows([0, 1, 4, 2, 3, 5], keys=(0, 2)), 'hevc')
    assert index.key_before(3).number == 0 and index.key_before(5).number == 4


def test_edit_list_hides_frames():
    index = PacketIndex(rows([-2, -1, 0, 1, 2], keys=(0, 3), hidden=(0, 1)), 'h264')
    assert list(index.times) == [0, 1, 2]
    assert index.key_before(0) is None and index.key_before(1).number == 1


@pytest.mark.parametrize(
    ('packets', 'codec', 'problem'),
    [
        (rows([0, None], keys=(0,)), 'h264', 'a packet has no time'),
        (rows([0, 1, 1], keys=(0,)), 'h264', 'two frames have the same time'),
        (rows([0, 1], keys=(1,)), 'h264', 'the first packet is no key frame'),
        ([], 'h264', 'the first packet is no key frame'),
        (rows([3, 1, 2], keys=(0,)), 'hevc', 'frames are to be shown before the first key frame'),
        (rows([0, 1], keys=(0,), size=8), 'mpeg4', 'a packet may be no frame'),
    ],
)
def test_what_cannot_be_found_by_time(packets, codec, problem):
    assert PacketIndex(packets, codec).problem == problem


def test_containers_and_codecs():
    assert unseekable_reason('matroska,webm', 'vp9') == ''
    assert unseekable_reason('avi', 'mpeg4') == 'avi files do not tell the time of every frame'
    assert unseekable_reason('matroska,webm', 'vp8') == 'packets of vp8 may be no frames'
