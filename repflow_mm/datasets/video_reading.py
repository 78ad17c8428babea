"""Reading of whole videos, with what is wrong with a bad one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import decord


class BadVideoError(Exception):
    """A video that cannot be used.

    Args:
        status (str): ``'missing'``, ``'empty'`` (no bytes or no frames), ``'corrupt'`` or a word of the caller's.
        message (str): What is wrong.
    """

    def __init__(self, status: str, message: str) -> None:
        super().__init__(status, message)
        self.status, self.message = status, message


def read_frames(path: str) -> Iterator[np.ndarray]:
    """Decode every frame of a video, in order.

    Args:
        path (str): The video.

    Yields:
        np.ndarray: (H, W, 3), uint8, red, green and blue.

    Raises:
        BadVideoError: If the video is missing, empty or corrupt, as soon as that shows.
    """
    with _bad_video_errors():
        reader = _open(path)
        for _ in range(len(reader)):
            yield without_padding(reader.next().asnumpy())


def without_padding(frame: np.ndarray) -> np.ndarray:
    """A frame of decord's as (H, W, 3).

    NOTE: at a few widths, such as 48, decord 0.6 takes the padding of rows for further channels.
    """
    height, width = frame.shape[:2]
    return frame.reshape(height, -1)[:, : 3 * width].reshape(height, width, 3)


def decode_video(path: str) -> dict:
    """Decode every frame of a video, in order and then some of them again by seeking, as training does.

    Args:
        path (str): The video.

    Returns:
        dict: ``status``: ``'ok'`` or that of a :class:`BadVideoError`; ``frames``, the number of frames decoded;
        ``message``, what is wrong.
    """
    frames = 0
    try:
        with _bad_video_errors():
            reader = _open(path)
            expected = len(reader)
            for _ in range(expected):
                reader.next()
                frames += 1
            reader.get_batch(sorted({0, expected // 2, expected - 1}, reverse=True))
    except BadVideoError as bad:
        return dict(status=bad.status, frames=frames, message=bad.message)
    return dict(status='ok', frames=frames, message='')


def _open(path: str) -> decord.VideoReader:
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    with open(path, 'rb') as file:
        if not file.read(1):
            raise BadVideoError('empty', 'the file has no bytes')
    reader = decord.VideoReader(path, num_threads=1)
    if not len(reader):
        raise BadVideoError('empty', 'the video has no frames')
    return reader


@contextmanager
def _bad_video_errors() -> Iterator[None]:
    try:
        yield
    except BadVideoError:
        raise
    except FileNotFoundError:
        raise BadVideoError('missing', 'the file does not exist') from None
    except Exception as error:  # whatever decord raises (its DECORDError is a bare Exception), the video is bad
        raise BadVideoError('corrupt', decord_message(error)) from error


def decord_errors() -> tuple[type[Exception], ...]:
    """What decord raises for a corrupt video; its own error derives from Exception alone."""
    from decord import DECORDError

    return (DECORDError, RuntimeError, OSError, IndexError)


def decord_message(error: Exception) -> str:
    """Decord's message without its stack trace, times and source files."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return re.sub(r'\[\d\d:\d\d:\d\d\] \S+: ', '', lines[0]) if lines else type(error).__name__
