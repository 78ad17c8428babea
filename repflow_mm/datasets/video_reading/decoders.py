"""The choice of a decoder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module

import numpy as np

from repflow_mm.datasets.video_reading.reader import VideoReader
from repflow_mm.datasets.video_reading.sources import VideoSource

_PLACE = 'repflow_mm.datasets.video_reading'
# Decoder: (module and class of its reader, which are imported when they are needed, and the module that it needs).
DECODERS = {
    'pyav': ('pyav_reader', 'PyAVReader', 'av'),
    'torchcodec': ('torchcodec_reader', 'TorchCodecReader', 'torchcodec'),
    'decord': ('decord_reader', 'DecordReader', 'decord'),
    'opencv': ('opencv_reader', 'OpenCVReader', 'cv2'),
}
# The only one that reads every format and notices damage.
DEFAULT = 'pyav'
DECODER_VARIABLE = 'REPFLOW_MM_DECODER'


def chosen_decoder(decoder: str | None = None) -> str:
    """The decoder that is used: the one given, or that of the environment variable, or ``'pyav'``.

    Args:
        decoder (str, optional): A name out of :data:`DECODERS`. Defaults to None.

    Raises:
        ValueError: If there is no decoder of that name.
    """
    name = decoder or os.environ.get(DECODER_VARIABLE) or DEFAULT
    if name not in DECODERS:
        where = 'decoder' if decoder else f'the environment variable {DECODER_VARIABLE}'
        raise ValueError(f'{where} must be one of {", ".join(DECODERS)}, got {name!r}')
    return name


def unusable_reason(decoder: str) -> str:
    """Why a decoder of :data:`DECODERS` cannot be used here; empty if it can."""
    for module in {'av', DECODERS[decoder][2]}:
        try:
            import_module(module)
        except Exception as error:  # a broken installation raises whatever its first broken line does
            return f'{module} cannot be imported: {_short(error)}'
    return ''


def open_video(path: str, decoder: str | None = None, content: bytes | None = None) -> VideoReader:
    """Open a video.

    Args:
        path (str): The video, or the name of what ``content`` was read from.
        decoder (str, optional): See :func:`chosen_decoder`. Defaults to None.
        content (bytes, optional): The video, if it does not lie in a file. Defaults to None.

    Raises:
        BadVideoError: If the video cannot be used.
        ValueError: If there is no such decoder.
        ImportError: If it is not installed or does not load.
    """
    name = chosen_decoder(decoder)
    module, reader, _ = DECODERS[name]
    try:
        kind = getattr(import_module(f'{_PLACE}.{module}'), reader)
    except Exception as error:
        raise ImportError(f'decoder {name!r} cannot be used: {unusable_reason(name) or error}') from error
    return kind(VideoSource(path, content))


def read_frames(path: str, decoder: str | None = None) -> Iterator[np.ndarray]:
    """Decode every frame of a video, in order.

    Args:
        path (str): The video.
        decoder (str, optional): See :func:`chosen_decoder`. Defaults to None.

    Yields:
        np.ndarray: (H, W, 3), uint8, red, green and blue.

    Raises:
        BadVideoError: If the video is missing, empty or damaged, as soon as that shows.
    """
    yield from open_video(path, decoder).frames()


def _short(error: Exception) -> str:
    """The error that began a chain of causes, by the first line of its message."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
