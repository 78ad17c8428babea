"""The formats of the corpus: containers, codecs, pixel formats, sizes and timestamps, written with PyAV's encoders."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

X264, X265 = 'libx264', 'libx265'
RATE = 25
# Without it some containers begin with a random number.
BITEXACT = {'fflags': '+bitexact'}


@dataclass(frozen=True)
class VideoFormat:
    """How a video of the corpus is written.

    Attributes:
        file: Name of the file, whose suffix is the container.
        codec: FFmpeg's name of the encoder.
        options: The encoder's options.
        pixels: Pixel format. Defaults to ``'yuv420p'``.
        size: Height and width, in pixels. Defaults to (64, 64).
        frames: Number of frames; None for the corpus's.
        times: The time of frame i in 1/25 s. Defaults to i.
        container: FFmpeg's name of the container, where the suffix does not say it.
        rate: Frames per second. Defaults to 25.
        mux: Options of the container.
        audio: Whether there is a sound track beside the pictures.
    """

    file: str
    codec: str
    options: dict = field(default_factory=dict)
    pixels: str = 'yuv420p'
    size: tuple[int, int] = (64, 64)
    frames: int | None = None
    times: Callable[[int], int] = int
    container: str | None = None
    rate: int = RATE
    mux: dict = field(default_factory=dict)
    audio: bool = False


def _x264(parameters: str = '', **options: str) -> dict:
    # x264's macroblock tree reads memory that was never written: what it writes depends on what was there before.
    fixed = 'threads=1:sync-lookahead=0:rc-lookahead=0:no-mbtree=1'
    return {'preset': 'veryfast', 'x264-params': f'{fixed}:{parameters}'.rstrip(':'), **options}


def _x265(parameters: str = '') -> dict:
    return {'preset': 'ultrafast', 'x265-params': f'log-level=none:pools=1:frame-threads=1:{parameters}'.rstrip(':')}


_B_FRAMES = _x264('bframes=3:keyint=12:min-keyint=12:b-adapt=0')
_MPEG4_B = {'bf': '2', 'g': '12', 'global_quality': '354', 'flags': '+qscale'}
_MPEG = {'g': '12', 'global_quality': '354', 'flags': '+qscale'}
_VP = {'b': '1M', 'g': '12', 'cpu-used': '5'}

FORMATS = (
    VideoFormat('mpeg4.mp4', 'mpeg4', _MPEG),
    VideoFormat('mpeg4_b_frames.mp4', 'mpeg4', _MPEG4_B),
    VideoFormat('mpeg4.avi', 'mpeg4', _MPEG),
    VideoFormat('mpeg4_b_frames.avi', 'mpeg4', _MPEG4_B),
    VideoFormat('mpeg4.mkv', 'mpeg4', _MPEG4_B),
    VideoFormat('h264.mp4', X264, _x264('bframes=0:keyint=12')),
    VideoFormat('h264_one_gop.mp4', X264, _x264('bframes=3:keyint=250')),
    VideoFormat('h264_b_frames.mp4', X264, _B_FRAMES),
    VideoFormat('h264_b_frames.mov', X264, _B_FRAMES),
    VideoFormat('h264_b_frames.mkv', X264, _B_FRAMES),
    VideoFormat('h264_b_frames.avi', X264, _B_FRAMES),
    VideoFormat('h264_b_frames.ts', X264, _B_FRAMES),
    VideoFormat('h264_b_frames.flv', X264, _B_FRAMES),
    VideoFormat('h264_raw.h264', X264, _B_FRAMES),
    VideoFormat('h264_open_gop.mp4', X264, _x264('bframes=3:keyint=12:min-keyint=12:b-adapt=0:open-gop=1')),
    VideoFormat('h264_open_gop.ts', X264, _x264('bframes=3:keyint=12:min-keyint=12:b-adapt=0:open-gop=1')),
    VideoFormat('h264_intra_refresh.mp4', X264, _x264('intra-refresh=1:keyint=12:bframes=0')),
    VideoFormat('h264_intra_refresh.mkv', X264, _x264('intra-refresh=1:keyint=12:bframes=0')),
    VideoFormat('h264_interlaced.mp4', X264, _x264('interlaced=1:tff=1:keyint=12:bframes=2'), size=(96, 64)),
    VideoFormat('h264_10_bit.mp4', X264, _B_FRAMES, 'yuv420p10le'),
    VideoFormat('h264_yuv444.mp4', X264, _B_FRAMES, 'yuv444p'),
    VideoFormat('h264_full_range.mp4', X264, _B_FRAMES, 'yuvj420p'),
    VideoFormat('h264_fragmented.mp4', X264, _B_FRAMES, mux={'movflags': 'frag_keyframe+empty_moov'}),
    VideoFormat('h264_index_first.mp4', X264, _B_FRAMES, mux={'movflags': 'faststart'}),
    VideoFormat('h264_with_sound.mp4', X264, _B_FRAMES, audio=True),
    VideoFormat('h264_variable_rate.mp4', X264, _B_FRAMES, times=lambda i: i * (i + 7) // 8),
    VideoFormat('h264_variable_rate.mkv', X264, _B_FRAMES, times=lambda i: i + 5 * (i // 7)),
    VideoFormat('h264_late_start.mp4', X264, _B_FRAMES, times=lambda i: i + 77),
    VideoFormat('h264_late_start.mkv', X264, _B_FRAMES, times=lambda i: i + 77),
    VideoFormat('h264_width_48.mp4', X264, _B_FRAMES, size=(48, 48)),
    VideoFormat('h264_width_72.mp4', X264, _B_FRAMES, size=(48, 72)),
    VideoFormat('h264_2x2.mp4', X264, _x264('bframes=0'), size=(2, 2), frames=8),
    VideoFormat('h264_one_frame.mp4', X264, _x264(), frames=1),
    VideoFormat('h264_two_frames.mp4', X264, _B_FRAMES, frames=2),
    VideoFormat('hevc.mp4', X265, _x265('keyint=12:min-keyint=12:bframes=3:open-gop=0')),
    VideoFormat('hevc_open_gop.mp4', X265, _x265('keyint=12:min-keyint=12:bframes=3:open-gop=1')),
    VideoFormat('hevc_open_gop.mkv', X265, _x265('keyint=12:min-keyint=12:bframes=3:open-gop=1')),
    VideoFormat('hevc_10_bit.mp4', X265, _x265('keyint=12:bframes=3'), 'yuv420p10le'),
    VideoFormat('vp8.webm', 'libvpx', {**_VP, 'auto-alt-ref': '1', 'lag-in-frames': '8'}),
    VideoFormat('vp9.webm', 'libvpx-vp9', {**_VP, 'deadline': 'realtime'}),
    VideoFormat('vp9_alt_ref.webm', 'libvpx-vp9', {**_VP, 'auto-alt-ref': '1', 'lag-in-frames': '12'}),
    VideoFormat('av1.mp4', 'libsvtav1', {'preset': '10', 'g': '12', 'svtav1-params': 'lp=1'}),
    VideoFormat('av1.webm', 'libsvtav1', {'preset': '10', 'g': '12', 'svtav1-params': 'lp=1'}),
    VideoFormat('mpeg1.mpg', 'mpeg1video', _MPEG4_B),
    VideoFormat('mpeg2.mpg', 'mpeg2video', _MPEG4_B, container='vob'),
    VideoFormat('mpeg2.ts', 'mpeg2video', _MPEG4_B),
    VideoFormat('mpeg2_interlaced.ts', 'mpeg2video', {**_MPEG4_B, 'flags': '+qscale+ildct+ilme'}),
    VideoFormat('wmv2.wmv', 'wmv2', _MPEG),
    VideoFormat('flv1.flv', 'flv', _MPEG),
    VideoFormat('h263.3gp', 'h263', _MPEG, size=(96, 128)),
    VideoFormat('mjpeg.avi', 'mjpeg', {'global_quality': '236', 'flags': '+qscale'}, 'yuvj420p'),
    VideoFormat('ffv1.mkv', 'ffv1'),
    VideoFormat('prores.mov', 'prores_ks', {}, 'yuv422p10le'),
    VideoFormat('huffyuv.avi', 'huffyuv', {}, 'yuv422p'),
    VideoFormat('gif.gif', 'gif', {}, 'rgb8'),
    VideoFormat('mpeg4_odd_size.mp4', 'mpeg4', _MPEG, size=(47, 63)),
    VideoFormat('mpeg4_odd_size.avi', 'mpeg4', _MPEG4_B, size=(47, 63)),
    VideoFormat('mpeg4_width_16.mp4', 'mpeg4', _MPEG, size=(16, 16)),
    VideoFormat('mpeg4_width_24.mp4', 'mpeg4', _MPEG, size=(72, 24)),
    VideoFormat('mpeg4_1x1.mp4', 'mpeg4', _MPEG, size=(1, 1), frames=8),
    VideoFormat('mpeg4_one_frame.avi', 'mpeg4', _MPEG, frames=1),
)  # fmt: skip
# What videos that are turned by their metadata are made of: upright, all are 64 by 96 pixels.
TURNED_FORMATS = tuple(
    VideoFormat(f'h264_to_turn_{degrees}.mp4', X264, _x264('keyint=12'), size=(64, 96) if degrees == 180 else (96, 64))
    for degrees in (90, 180, 270)
)
# Two hours at one frame a second: apart from the others, as it takes seconds to write.
LONG_FORMAT = VideoFormat('h264_two_hours.mp4', X264, _x264('bframes=2:keyint=250'), size=(32, 32), frames=7200, rate=1)


def write_format(path: Path, format: VideoFormat, frames: Sequence[np.ndarray]) -> None:
    """Write frames (H, W, 3), uint8, red, green and blue, as a video; the same frames give the same file.

    Raises:
        av.FFmpegError: If FFmpeg lacks the encoder or cannot write the file.
    """
    os.environ.setdefault('SVT_LOG', '1')  # errors alone of an encoder that reports its settings
    options = {**BITEXACT, **format.mux}
    with _same_scheduling(), av.open(str(path), 'w', format=format.container, options=options) as container:
        stream = container.add_stream(format.codec, rate=format.rate, options=format.options)
        stream.height, stream.width = format.size
        stream.pix_fmt = format.pixels
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = Fraction(1, format.rate)
        sound = container.add_stream('aac', rate=16000, layout='mono') if format.audio else None
        for packet in _packets(stream, format, frames):
            container.mux(packet)
        if sound is not None:
            for packet in _silence(sound, len(frames) / format.rate):
                container.mux(packet)


@contextmanager
def _same_scheduling() -> Iterator[None]:
    """Leave this thread's scheduling as it is.

    SVT-AV1, run by root, makes the thread that opens it a real-time one, and so all threads and processes that this
    one starts from then on: a browser among them comes to a standstill, and what else runs on the machine nearly so.
    """
    if not hasattr(os, 'sched_getscheduler'):
        yield
        return
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, *before)


def _packets(stream: av.VideoStream, format: VideoFormat, frames: Sequence[np.ndarray]) -> Iterable[av.Packet]:
    for number, image in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(image, format='rgb24')
        frame.pts, frame.time_base = format.times(number), Fraction(1, format.rate)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _silence(stream: av.AudioStream, seconds: float) -> Iterable[av.Packet]:
    samples = np.zeros((1, int(seconds * stream.rate)), np.float32)
    frame = av.AudioFrame.from_ndarray(samples, format='fltp', layout='mono')
    frame.rate, frame.pts, frame.time_base = stream.rate, 0, Fraction(1, stream.rate)
    yield from stream.encode(frame)
    yield from stream.encode(None)
