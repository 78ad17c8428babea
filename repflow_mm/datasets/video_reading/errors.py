"""What is wrong with a video that cannot be used."""

from __future__ import annotations

import os

from repflow_mm.datasets.bad_data import BadDataError, MissingDataError


class BadVideoError(BadDataError):
    """A video that cannot be used.

    Args:
        message (str): What is wrong, without the video's name.
        path (str): The video. Defaults to ``''``, not known.
        status (str): ``'missing'``, ``'empty'`` (no bytes, no pictures or no frames), ``'corrupt'``, ``'unsupported'``
            (by the decoder that was asked for) or a word of the caller's. Defaults to ``'corrupt'``.

    Attributes:
        message (str): What was given; the error's text names the video besides.
    """

    def __init__(self, message: str, path: str = '', status: str = 'corrupt') -> None:
        super().__init__(f'video {path} ({_size(path)}) cannot be read: {message}' if path else message, path, status)
        self.message = message


class MissingVideoError(BadVideoError, MissingDataError):
    """A video that does not exist.

    Args:
        message (str): What is missing.
        path (str): The video. Defaults to ``''``, not known.
    """

    def __init__(self, message: str, path: str = '') -> None:
        BadDataError.__init__(self, f'video {path} does not exist' if path else message, path, 'missing')
        self.message = message


def _size(path: str) -> str:
    try:
        return f'{os.path.getsize(path)} bytes'
    except OSError:
        return 'size unknown'
