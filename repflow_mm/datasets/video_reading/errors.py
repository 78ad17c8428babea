"""What is wrong with a video that cannot be used."""

from __future__ import annotations

import os


class BadVideoError(ValueError):
    """A video that cannot be used.

    Args:
        status (str): ``'missing'``, ``'empty'`` (no bytes, no pictures or no frames), ``'corrupt'``, ``'unsupported'``
            (by the decoder that was asked for) or a word of the caller's. Where it is the only argument, as when a
            data loader raises again what a worker raised, it is the whole text.
        message (str): What is wrong.
        path (str): The video. Defaults to ``''``, not known.
    """

    def __init__(self, status: str, message: str | None = None, path: str = '') -> None:
        super().__init__(status, message, path)
        self.status = 'corrupt' if message is None else status
        self.message = status if message is None else message
        self.path = path
        self.size = _size(path)

    def __str__(self) -> str:
        if not self.path:
            return self.message
        return f'video {self.path} ({self.size}) cannot be read: {self.message}'


class MissingVideoError(BadVideoError, FileNotFoundError):
    """A video that does not exist."""

    def __init__(self, status: str, message: str | None = None, path: str = '') -> None:
        super().__init__(status, message, path)
        self.status = 'missing'

    def __str__(self) -> str:
        return f'video {self.path} does not exist' if self.path else self.message


def _size(path: str) -> str:
    try:
        return f'{os.path.getsize(path)} bytes'
    except OSError:
        return 'size unknown'
