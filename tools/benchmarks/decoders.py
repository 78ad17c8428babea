"""Reading of videos: which frames each decoder gives of every format, and how many clips a second."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.parts import Part, positive
from repflow_mm.datasets.video_reading import (
    DECODERS,
    GOOD_STATUSES,
    check_video,
    open_video,
    unusable_reason,
)
from repflow_mm.markdown import markdown_table, write_sections
from repflow_mm.testing.timing import seconds_of
from repflow_mm.testing.video_corpus import VideoFormat, make_corpus, picture, picture_number, write_format

SECTION = 'decoders'
SIZE = (256, 340)
# Videos that reading is timed on, by what they are.
TIMED = {
    'H.264 mp4, a key frame in 250': VideoFormat('h264.mp4', 'libx264', {'crf': '23', 'g': '250'}, size=SIZE),
    'H.264 mp4, a key frame in 25': VideoFormat('h264_25.mp4', 'libx264', {'crf': '23', 'g': '25'}, size=SIZE),
    'HEVC mp4': VideoFormat('hevc.mp4', 'libx265', {'x265-params': 'log-level=none'}, size=SIZE),
    'VP9 webm': VideoFormat('vp9.webm', 'libvpx-vp9', {'b': '500k', 'cpu-used': '5', 'g': '128'}, size=SIZE),
    'MPEG-4 avi': VideoFormat('mpeg4.avi', 'mpeg4', {'b': '1M', 'g': '12'}, size=SIZE),
    'MPEG-4 mp4': VideoFormat('mpeg4.mp4', 'mpeg4', {'b': '1M', 'g': '12'}, size=SIZE),
}
RATE = 25
SPARSE_FRAMES, DENSE_FRAMES, STRIDE = 8, 32, 2


def sparse_clip(count: int, rng: np.random.Generator) -> list[int]:
    """A frame of each eighth of a video."""
    edges = np.linspace(0, count, SPARSE_FRAMES + 1).astype(int)
    return [int(rng.integers(start, end)) for start, end in zip(edges[:-1], edges[1:])]


def dense_clip(count: int, rng: np.random.Generator) -> list[int]:
    """32 frames with stride 2 from anywhere; a shorter video begins anew."""
    start = int(rng.integers(max(count - DENSE_FRAMES * STRIDE, 0) + 1))
    return [(start + STRIDE * index) % count for index in range(DENSE_FRAMES)]


def right_frames(path: Path, numbers: Sequence[int], decoder: str) -> dict:
    """How many frames of clips are those of decoding in order.

    Args:
        path (Path): A video of the corpus.
        numbers (Sequence[int]): What its pictures show.
        decoder (str): A name out of ``DECODERS``.

    Returns:
        dict: ``right`` of ``asked`` frames, and the ``status`` that the check gives the video.
    """
    status = check_video(str(path), decoder)['status']
    right = asked = 0
    if status in GOOD_STATUSES:
        rng = np.random.default_rng(0)
        for clip in (sparse_clip, dense_clip, sparse_clip, dense_clip):
            indices = clip(len(numbers), rng) if len(numbers) >= SPARSE_FRAMES else list(range(len(numbers)))
            images = open_video(str(path), decoder).get_frames(indices)
            asked += len(indices)
            right += sum(picture_number(image) == numbers[index] for image, index in zip(images, indices))
    return dict(status=status, right=right, asked=asked)


def clip_seconds(path: Path, count: int, decoders: Sequence[str], repeats: int) -> dict:
    """Seconds of reading a clip of a video that was just opened, by the kind of clip and the decoder."""
    seconds = {}
    for kind, clip in (('sparse', sparse_clip), ('dense', dense_clip)):
        rng = np.random.default_rng(0)
        calls = {decoder: partial(_read_clip, path, decoder, clip, count, rng) for decoder in decoders}
        seconds[kind] = seconds_of(calls, repeats)
    return seconds


def _read_clip(path: Path, decoder: str, clip: Callable, count: int, rng: np.random.Generator) -> None:
    open_video(str(path), decoder).get_frames(clip(count, rng))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the part."""
    parser.add_argument('--seconds', type=positive, default=10, help='length of the timed videos (default: 10)')
    parser.add_argument('--write-docs', type=Path, metavar='FILE', help='page to put the tables into: docs/decoders.md')


def run(args: argparse.Namespace) -> tuple[dict, str]:
    """Check the corpus and time reading with every decoder that is installed."""
    decoders = [name for name in DECODERS if not unusable_reason(name)]
    with TemporaryDirectory() as folder:
        frames = _right_of_corpus(Path(folder), decoders)
        speed = _speed(Path(folder), decoders, args.seconds, args.repeats)
    text = '\n\n'.join((_frames_table(frames, decoders), _speed_table(speed, decoders)))
    if args.write_docs:
        write_sections(args.write_docs, {SECTION: text.splitlines()})
    return dict(frames=frames, speed=speed), text


def _right_of_corpus(folder: Path, decoders: Sequence[str]) -> list[dict]:
    videos = [video for video in make_corpus(folder) if video.is_good]
    return [
        dict(file=video.path.name, **{name: right_frames(video.path, video.numbers, name) for name in decoders})
        for video in videos
    ]


def _speed(folder: Path, decoders: Sequence[str], seconds: int, repeats: int) -> list[dict]:
    rows, count = [], seconds * RATE
    for name, format in TIMED.items():
        path = folder / f'timed_{format.file}'
        write_format(path, format, [picture(number, *SIZE) for number in range(count)])
        able = [decoder for decoder in decoders if check_video(str(path), decoder)['status'] in GOOD_STATUSES]
        rows.append(dict(video=name, bytes=path.stat().st_size, **clip_seconds(path, count, able, repeats)))
    return rows


def _frames_table(rows: Sequence[dict], decoders: Sequence[str]) -> str:
    return markdown_table(
        ('file', *decoders), [[row['file'], *(_said(row[name]) for name in decoders)] for row in rows]
    )


def _said(result: dict) -> str:
    if result['status'] not in GOOD_STATUSES:
        return 'says that it cannot'
    how = ', in order' if result['status'] == 'in_order' else ''
    return f'{result["right"]} of {result["asked"]}{how}'


def _speed_table(rows: Sequence[dict], decoders: Sequence[str]) -> str:
    header = ('clips a second and core', *(f'{name}, {kind}' for kind in ('sparse', 'dense') for name in decoders))
    lines = []
    for row in rows:
        lines.append([row['video'], *(_rate(row[kind], name) for kind in ('sparse', 'dense') for name in decoders)])
    return markdown_table(header, lines)


def _rate(seconds: dict, decoder: str) -> str:
    return f'{1 / np.median(seconds[decoder]):.1f}' if decoder in seconds else 'cannot'


PARTS = {'decoders': Part('reading of videos: right frames and speed of each decoder', add_arguments, run)}
