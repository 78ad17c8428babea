import gc
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest

from repflow_mm.chaos.parts import run_in_child
from repflow_mm.datasets.video_reading import (
    DECODERS,
    GOOD_STATUSES,
    BadVideoError,
    check_video,
    chosen_decoder,
    open_video,
    read_frames,
    strict_stream,
    unusable_reason,
)
from repflow_mm.datasets.video_reading import decoders as decoders_module
from repflow_mm.testing.video_corpus import LONG_FORMAT, make_corpus, picture, picture_number, write_format

USABLE = [
    pytest.param(name, marks=pytest.mark.skipif(bool(unusable_reason(name)), reason=unusable_reason(name) or 'usable'))
    for name in DECODERS
]
# What only PyAV reads: of these other decoders give other frames or none, which they have to say.
UNSUPPORTED = {
    'decord': (
        'h264_b_frames.ts', 'h264_open_gop.ts', 'h264_raw.h264', 'av1.mp4', 'av1.webm', 'mpeg2.ts',
        'mpeg2_interlaced.ts', 'gif.gif', 'h264_edit_list.mp4', 'hevc_cut_open_gop.mp4', 'h264_cut_open_gop.mp4',
        'hevc.mp4',  # decord2 3.4
    ),
    'opencv': ('h264_interlaced.mp4', 'mpeg2_interlaced.ts', 'av1.mp4', 'av1.webm'),
}  # fmt: skip


@pytest.fixture(scope='module')
def good_videos(video_corpus):
    return [video for video in video_corpus if video.is_good]


def numbers(images):
    return [picture_number(image) for image in images]


def test_frames_asked_for_in_any_order_are_those_of_decoding_in_order(good_videos):
    rng = np.random.default_rng(0)
    for video in good_videos:
        in_order = list(read_frames(str(video.path)))
        assert tuple(numbers(in_order)) == video.numbers, video.path.name
        assert in_order[0].shape == (*video.size, 3) and in_order[0].flags.c_contiguous, video.path.name
        reader = open_video(str(video.path))
        assert len(reader) == len(video.numbers)
        for size in (1, 6, 6):
            asked = rng.integers(0, len(in_order), size).tolist()
            for index, image in zip(asked, reader.get_frames(asked)):
                assert np.array_equal(image, in_order[index]), (video.path.name, asked)


def test_sparse_and_dense_clips_of_fresh_readers(good_videos):
    for video in good_videos:
        count = len(video.numbers)
        for asked in (range(0, count, max(count // 4, 1)), range(count // 2, count), [count - 1, 0, count - 1]):
            images = open_video(str(video.path)).get_frames(list(asked))
            assert numbers(images) == [video.numbers[index] for index in asked], (video.path.name, asked)


def test_frames_share_no_memory(good_videos):
    for video in good_videos:
        first, again = open_video(str(video.path)).get_frames([0, 0])
        assert np.array_equal(first, again) and not np.shares_memory(first, again)


@pytest.mark.parametrize('decoder', USABLE)
def test_every_decoder_gives_the_same_frames_or_says_that_it_cannot(good_videos, decoder):
    unsupported = []
    for video in good_videos:
        result = check_video(str(video.path), decoder)
        if result['status'] == 'unsupported':
            assert "use decoder='pyav'" in result['message'], video.path.name
            unsupported.append(video.path.name)
            continue
        assert result['status'] in ('ok', 'in_order'), (video.path.name, result)
        asked = [len(video.numbers) - 1, 0, len(video.numbers) // 2]
        images = open_video(str(video.path), decoder).get_frames(asked)
        assert numbers(images) == [video.numbers[index] for index in asked], video.path.name
    if decoder == 'torchcodec':
        # It reads what tells the time of every frame.
        assert {Path(name).suffix for name in unsupported}.isdisjoint(('.mp4', '.mkv', '.webm', '.mov', '.3gp', ''))
    else:
        assert set(unsupported) <= set(UNSUPPORTED.get(decoder, ()))


@pytest.mark.parametrize('decoder', USABLE)
def test_files_that_are_none_are_refused_by_every_decoder(tmp_path, decoder):
    for video in make_corpus(tmp_path, names=('empty.mp4', 'playlist.m3u', 'text_without_suffix', 'sound_only.m4a')):
        with pytest.raises(BadVideoError, match=video.path.name) as error:
            open_video(str(video.path), decoder)
        assert (error.value.status, error.value.message) == tuple(
            check_video(str(video.path), decoder)[key] for key in ('status', 'message')
        )


def test_two_hours_at_one_frame_a_second(tmp_path):
    path = tmp_path / LONG_FORMAT.file
    count, size = LONG_FORMAT.frames, LONG_FORMAT.size
    write_format(path, LONG_FORMAT, [picture(number, *size) for number in range(count)])
    reader = open_video(str(path))
    asked = [7199, 3, 4000, 6100, 250]
    assert len(reader) == 7200 and reader.average_fps == 1
    assert numbers(reader.get_frames(asked)) == [index % 256 for index in asked]
    assert reader.in_order == ''
    for decoder in DECODERS:
        if not unusable_reason(decoder):
            assert numbers(open_video(str(path), decoder).get_frames(asked)) == [index % 256 for index in asked]


def test_bytes_in_place_of_a_file(good_videos):
    for video in good_videos[:8]:
        reader = open_video(str(video.path), content=video.path.read_bytes())
        assert numbers(reader.get_frames([5, 1])) == [5, 1]


def test_more_frames_than_are_kept(tmp_path, monkeypatch):
    """A video that is decoded to be counted is decoded again where its frames are too many to be kept."""
    monkeypatch.setattr('repflow_mm.datasets.video_reading.pyav_reader.BYTES_KEPT', 64 * 64 * 3)
    (video,) = make_corpus(tmp_path, names=['mpeg4_b_frames.avi'])
    reader = open_video(str(video.path))
    assert len(reader) == 40
    assert numbers(reader.get_frames([39, 2])) == [39, 2]
    assert numbers(reader.frames()) == list(range(40))


def test_indices_that_are_not_there(good_videos):
    video = good_videos[0]
    with pytest.raises(IndexError, match=r'mpeg4\.mp4 has frames 0 to 39, asked for \[40, -1\]'):
        open_video(str(video.path)).get_frames([40, 3, -1])


def test_choice_of_the_decoder(monkeypatch):
    monkeypatch.delenv('REPFLOW_MM_DECODER', raising=False)
    assert chosen_decoder() == 'pyav'
    monkeypatch.setenv('REPFLOW_MM_DECODER', 'opencv')
    assert chosen_decoder() == 'opencv' and chosen_decoder('decord') == 'decord'
    with pytest.raises(ValueError, match="decoder must be one of pyav, torchcodec, decord, opencv, got 'ffmpeg'"):
        chosen_decoder('ffmpeg')
    monkeypatch.setenv('REPFLOW_MM_DECODER', 'ffmpeg')
    with pytest.raises(ValueError, match="the environment variable REPFLOW_MM_DECODER must be one of .*, got 'ffmpeg'"):
        chosen_decoder()


def test_a_decoder_that_does_not_load(monkeypatch, good_videos):
    monkeypatch.setitem(decoders_module.DECODERS, 'torchcodec', ('no_reader', 'NoReader', 'no_module'))
    assert unusable_reason('torchcodec') == "no_module cannot be imported: No module named 'no_module'"
    with pytest.raises(ImportError, match="decoder 'torchcodec' cannot be used: no_module cannot be imported"):
        open_video(str(good_videos[0].path), 'torchcodec')


def test_a_title_that_is_no_utf8_is_no_damage(good_videos, tmp_path):
    (video,) = (video for video in good_videos if video.path.name == 'mpeg4.mkv')
    title, named = b'ABCDEFGH', tmp_path / 'named.mkv'
    with av.open(str(video.path)) as source, av.open(str(named), 'w') as target:
        target.metadata['title'] = title.decode()
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux():
            packet.stream = stream
            if packet.size:
                target.mux(packet)
    content = named.read_bytes()
    assert content.count(title) == 1
    named.write_bytes(content.replace(title, b'\xff\xfe\xc3\x28\xe9ABC'))
    assert numbers(read_frames(str(named))) == list(video.numbers)


def test_files_are_closed_with_their_readers(good_videos):
    gc.disable()
    try:
        before = len(os.listdir('/proc/self/fd'))
        for video in good_videos[:20]:
            open_video(str(video.path)).get_frames([1])
        assert len(os.listdir('/proc/self/fd')) == before
    finally:
        gc.enable()


def test_threads_read_beside_each_other(tmp_path):
    videos = make_corpus(tmp_path, names=('mpeg4.mp4', 'mpeg4_10_bytes.mp4', 'h264_b_frames.mp4'))
    paths = [str(video.path) for video in videos] * 8
    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(lambda path: check_video(path)['status'], paths))
    assert statuses == ['ok', 'ok', 'corrupt'] * 8


def test_processes_that_are_forked_while_another_thread_reads(tmp_path, good_videos):
    def read():
        assert av.logging.get_level() is None
        assert check_video(str(good_videos[0].path))['status'] in GOOD_STATUSES
        assert av.logging.get_level() is None

    with strict_stream.ffmpeg_messages(), strict_stream._LOGGING.lock:
        assert run_in_child(read, tmp_path / 'log', 60) == 0, (tmp_path / 'log').read_text()
