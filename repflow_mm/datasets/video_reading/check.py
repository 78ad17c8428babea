"""Whether a video can be used, and how."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import islice

import numpy as np

from repflow_mm.datasets.video_reading.decoders import DEFAULT, chosen_decoder, open_video
from repflow_mm.datasets.video_reading.errors import BadVideoError
from repflow_mm.datasets.video_reading.reader import VideoReader

# Statuses of videos that can be used.
GOOD_STATUSES = ('ok', 'in_order')
# Frames that are read again by seeking.
FRAMES_SOUGHT = 4
# Frames of a part that are in memory at a time.
FRAMES_AT_ONCE = 32
# Decoders round colours in their own ways; another frame differs by more, on the mean of a frame.
LEVELS_APART = 8


def check_video(path: str, decoder: str | None = None) -> dict:
    """Decode every frame of a video, and then some of them again as training reads them.

    Damage is found with PyAV; what another decoder gives is compared with it, frame by frame.

    Args:
        path (str): The video.
        decoder (str, optional): See :func:`repflow_mm.datasets.video_reading.chosen_decoder`. Defaults to None.

    Returns:
        dict: ``status``: ``'ok'``; ``'in_order'``: good too, but frames cannot be found by seeking, so that every read
        decodes from the start; or that of a :class:`BadVideoError`; ``frames``, the number of frames that decode;
        ``message``, what is wrong, or why the video is read in order.
    """
    decoder = chosen_decoder(decoder)
    frames = 0
    try:
        reader = open_video(path, DEFAULT)
        digests = []
        for image in reader.frames():
            digests.append(zlib.crc32(image))
            frames += 1
        if len(reader) != frames:
            raise BadVideoError(f'{len(reader)} frames were counted, {frames} decode')
        _check_seeking(reader, digests)
        if decoder != DEFAULT:
            reader = open_video(path, decoder)
            _check_likeness(reader, open_video(path, DEFAULT))
            _check_sought_likeness(reader, open_video(path, DEFAULT))
    except BadVideoError as bad:
        return dict(status=bad.status, frames=frames, message=bad.message)
    return dict(status='in_order' if reader.in_order else 'ok', frames=frames, message=reader.in_order)


def check_part(path: str, offset: int, total_frames: int, decoder: str | None = None) -> dict:
    """Decode every frame of a part of a video as training reads it.

    Damage behind the part is none of the part's; nor is, where frames are found by seeking, damage before it.

    Args:
        path (str): The video.
        offset (int): How many of its frames precede the part.
        total_frames (int): How many frames the part has.
        decoder (str, optional): See :func:`repflow_mm.datasets.video_reading.chosen_decoder`. Defaults to None.

    Returns:
        dict: As of :func:`check_video`, ``frames`` being those of the part; ``status`` is ``'short'`` too, where the
        video ends before the part does.
    """
    decoder = chosen_decoder(decoder)
    frames = 0
    try:
        reader = open_video(path, decoder)
        reader.limit_to_part(offset, total_frames)
        for _ in _part_frames(reader, offset):
            frames += 1
        if decoder != DEFAULT:
            judge = open_video(path, DEFAULT)
            judge.limit_to_part(offset, total_frames)
            pairs = zip(_part_frames(reader, offset), _part_frames(judge, offset))
            for index, (image, expected) in enumerate(pairs, start=offset):
                _check_frame(index, image, expected)
    except BadVideoError as bad:
        return dict(status=bad.status, frames=frames, message=bad.message)
    return dict(status='in_order' if reader.in_order else 'ok', frames=frames, message=reader.in_order)


def _part_frames(reader: VideoReader, offset: int) -> Iterator[np.ndarray]:
    """The frames from an offset to the reader's end."""
    if reader.in_order:
        yield from islice(reader.frames(), offset, reader.end)
        return
    for first in range(offset, reader.end, FRAMES_AT_ONCE):
        yield from reader.get_frames(range(first, min(first + FRAMES_AT_ONCE, reader.end)))


def _check_seeking(reader: VideoReader, digests: list[int]) -> None:
    """Raise BadVideoError if frames differ from those that were decoded in order."""
    for index in _sought(len(digests)):
        if zlib.crc32(reader.get_frames([index])[0]) != digests[index]:
            raise BadVideoError(f'frame {index} is another one when it is found by seeking')


def _check_likeness(reader: VideoReader, judge: VideoReader) -> None:
    """Raise BadVideoError if a decoder gives other frames than PyAV, from the first to the last."""
    for index, (image, expected) in enumerate(zip(reader.frames(), judge.frames())):
        _check_frame(index, image, expected)


def _check_sought_likeness(reader: VideoReader, judge: VideoReader) -> None:
    """Raise BadVideoError if a decoder gives other frames than PyAV when they are sought."""
    sought = _sought(len(judge))
    for index, image, expected in zip(sought, reader.get_frames(sought), judge.get_frames(sought)):
        _check_frame(index, image, expected)


def _sought(count: int) -> list[int]:
    """Some frames over the whole video, the last one first."""
    return list(dict.fromkeys(np.linspace(count - 1, 0, FRAMES_SOUGHT).astype(int).tolist()))


def _check_frame(index: int, image: np.ndarray, expected: np.ndarray) -> None:
    if image.shape != expected.shape:
        raise BadVideoError(f'frame {index} is {image.shape}, PyAV decodes {expected.shape}', '', 'unsupported')
    difference = np.abs(image.astype(np.int16) - expected).mean()
    if difference > LEVELS_APART:
        raise BadVideoError(f'frame {index} is {difference:.0f} levels from what PyAV decodes', '', 'unsupported')
