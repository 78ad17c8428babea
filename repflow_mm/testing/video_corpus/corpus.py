"""The corpus: good, odd and damaged videos in a folder, with what is known of each."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import av
import numpy as np

from repflow_mm.testing.video_corpus.alterations import ALTERATIONS, Alteration
from repflow_mm.testing.video_corpus.damage import DAMAGES, NO_VIDEOS, write_sound_only
from repflow_mm.testing.video_corpus.formats import FORMATS, TURNED_FORMATS, VideoFormat, write_format
from repflow_mm.testing.video_corpus.pictures import NUMBERS, picture

# Formats that damage is done to in the corpus.
DAMAGED_FORMATS = (
    'mpeg4.mp4', 'mpeg4_b_frames.avi', 'h264_b_frames.mp4', 'h264_index_first.mp4', 'h264_b_frames.mkv',
    'h264_b_frames.ts', 'hevc.mp4', 'vp9.webm', 'mpeg2.mpg',
)  # fmt: skip
# Bytes may be changed where they do not matter, as in stuffing; other bytes are tried then.
DAMAGE_TRIES = 50
SOUND_ONLY = 'sound_only.m4a'
_SOURCES = {format.file: format for format in (*FORMATS, *TURNED_FORMATS)}


@dataclass(frozen=True)
class CorpusVideo:
    """A file of the corpus.

    Attributes:
        path: The file.
        state: ``'good'``: every frame decodes; ``'damaged'``: bytes were changed or lost, and what decodes of it is
            not what it was; ``'unreadable'``: no video.
        why: What is odd about it; empty for a plain one.
        numbers: What :func:`picture_number` says of its frames in order; of a damaged video, what it said before.
        size: Height and width of the upright pictures, in pixels; (0, 0) for what never was a video.
        is_silent: Whether FFmpeg decodes a damaged video, to other pictures, without a word: no reader can notice.
    """

    path: Path
    state: str
    why: str = ''
    numbers: tuple[int, ...] = ()
    size: tuple[int, int] = (0, 0)
    is_silent: bool = False

    @property
    def is_good(self) -> bool:
        """Whether every frame decodes."""
        return self.state == 'good'


Maker = Callable[[Path, int, int], CorpusVideo]


def make_corpus(
    folder: str | Path, seed: int = 0, frames: int = 40, names: Sequence[str] | None = None
) -> list[CorpusVideo]:
    """Write the corpus: every format, every alteration, every damage and what is no video, a file each.

    The same arguments give the same files.

    Args:
        folder (str | Path): Where to; made if it does not exist.
        seed (int): Of the pictures and of what is damaged. Defaults to 0.
        frames (int): Frames of a video, 40 to 256. Defaults to 40.
        names (Sequence[str], optional): The files to write. Defaults to None, all of :func:`corpus_names`.

    Returns:
        list[CorpusVideo]: The files, good ones first.

    Raises:
        ValueError: If ``frames`` is not allowed or a name is unknown.
        av.FFmpegError: If FFmpeg lacks an encoder.
    """
    _check_frames(frames)
    makers = _makers()
    unknown = [name for name in names or () if name not in makers]
    if unknown:
        raise ValueError(f'the corpus has no files {unknown}; it has {sorted(makers)}')
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return [make(folder / name, seed, frames) for name, make in makers.items() if names is None or name in names]


def corpus_names() -> list[str]:
    """The names of all files of the corpus."""
    return list(_makers())


def make_random_videos(folder: str | Path, count: int, seed: int = 0, frames: int = 40) -> list[CorpusVideo]:
    """Write many videos of random formats, about half of them altered, damaged or no videos at all.

    Args:
        folder (str | Path): Where to; made if it does not exist.
        count (int): How many.
        seed (int): Of the choice, the pictures and the damage; the same seed gives the same files. Defaults to 0.
        frames (int): Frames of a video, 40 to 256. Defaults to 40.

    Returns:
        list[CorpusVideo]: The files, ``<number>_<name>``.

    Raises:
        ValueError: If ``frames`` is not allowed.
        av.FFmpegError: If FFmpeg lacks an encoder.
    """
    _check_frames(frames)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    good, altered = [_format_maker(format) for format in FORMATS], [_alteration_maker(a) for a in ALTERATIONS]
    damaged = [_damage_maker(file, kind) for file in _SOURCES for kind in DAMAGES if _is_long(file)]
    groups = (good, altered, damaged, [*_no_video_makers().items()])
    videos = []
    for number in range(count):
        makers = groups[rng.choice(len(groups), p=(0.5, 0.1, 0.35, 0.05))]
        name, make = makers[rng.integers(len(makers))]
        videos.append(make(folder / f'{number:04d}_{name}', seed + number, frames))
    return videos


def _check_frames(frames: int) -> None:
    if not 40 <= frames <= NUMBERS:
        raise ValueError(f'frames must be 40 to {NUMBERS}, got {frames}')


def _makers() -> dict[str, Maker]:
    return {
        **dict(_format_maker(format) for format in FORMATS),
        **dict(_alteration_maker(alteration) for alteration in ALTERATIONS),
        **dict(_damage_maker(file, kind) for file in DAMAGED_FORMATS for kind in DAMAGES),
        **_no_video_makers(),
    }


def _is_long(file: str) -> bool:
    """Whether a format has frames enough for damage to hit some."""
    return _SOURCES[file].frames is None


def _format_maker(format: VideoFormat) -> tuple[str, Maker]:
    return format.file, partial(_write_good, format)


def _alteration_maker(alteration: Alteration) -> tuple[str, Maker]:
    return alteration.file, partial(_write_altered, alteration)


def _damage_maker(file: str, kind: str) -> tuple[str, Maker]:
    stem, suffix = os.path.splitext(file)
    return f'{stem}_{kind}{suffix}', partial(_write_damaged, file, kind)


def _no_video_makers() -> dict[str, Maker]:
    return {**{name: partial(_write_no_video, name) for name in NO_VIDEOS}, SOUND_ONLY: _write_sound_only}


def _write_good(format: VideoFormat, path: Path, seed: int, frames: int, turned: int = 0) -> CorpusVideo:
    """Write a format's video, its pictures turned counter-clockwise by quarters first."""
    frames = format.frames or frames
    height, width = size = format.size[::-1] if turned % 2 else format.size
    pictures = [np.rot90(picture(number, height, width, seed), turned) for number in range(frames)]
    write_format(path, format, [np.ascontiguousarray(image) for image in pictures])
    return CorpusVideo(path, 'good', numbers=tuple(number % NUMBERS for number in range(frames)), size=size)


def _write_altered(alteration: Alteration, path: Path, seed: int, frames: int) -> CorpusVideo:
    with TemporaryDirectory() as folder:
        source = Path(folder) / alteration.source
        video = _write_good(_SOURCES[alteration.source], source, seed, frames, alteration.turned)
        alteration.alter(source, path)
    return CorpusVideo(path, 'good', alteration.why, tuple(alteration.numbers(video.numbers)), video.size)


def _write_damaged(file: str, kind: str, path: Path, seed: int, frames: int) -> CorpusVideo:
    rng = np.random.default_rng((seed, *kind.encode(), *file.encode()))
    with TemporaryDirectory() as folder:
        source = Path(folder) / file
        video = _write_good(_SOURCES[file], source, seed, frames)
        content, pictures = source.read_bytes(), decoded(source).digest
        for _ in range(DAMAGE_TRIES):
            path.write_bytes(DAMAGES[kind](content, rng))
            found = decoded(path)
            if found.digest != pictures:
                why = kind.replace('_', ' ')
                return CorpusVideo(path, 'damaged', why, video.numbers, video.size, found.is_silent)
    raise RuntimeError(f'{DAMAGE_TRIES} times nothing changed in the pictures of {file}: {kind}')


class Decoded(NamedTuple):
    """What FFmpeg makes of a file: a digest of the pictures, and whether it had nothing to say against them."""

    digest: str
    is_silent: bool


def decoded(path: Path) -> Decoded:
    """Decode a file as FFmpeg does by itself; damage that changes no picture is none."""
    digest, is_silent = hashlib.sha256(), True
    level, skips_repeated = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)
    try:
        with av.logging.Capture() as messages, av.open(str(path)) as container:
            stream = [stream for stream in container.streams.video if stream.codec_context][0]
            stream.codec_context.thread_count = 1
            for frame in container.decode(stream):
                is_silent = is_silent and not frame.is_corrupt
                digest.update(frame.to_ndarray(format='rgb24').tobytes())
    except (av.FFmpegError, IndexError) as error:
        digest.update(type(error).__name__.encode())
        is_silent = False
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(skips_repeated)
    return Decoded(digest.hexdigest(), is_silent and not messages)


def _write_no_video(name: str, path: Path, seed: int, frames: int) -> CorpusVideo:
    path.write_bytes(NO_VIDEOS[name](np.random.default_rng(seed)))
    return CorpusVideo(path, 'unreadable', NO_VIDEOS[name].__doc__)


def _write_sound_only(path: Path, seed: int, frames: int) -> CorpusVideo:
    write_sound_only(path)
    return CorpusVideo(path, 'unreadable', 'sound without pictures')
