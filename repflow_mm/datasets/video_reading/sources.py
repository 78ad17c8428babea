"""Where the bytes of a video are, and what is no video at the first look."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from typing import BinaryIO

from repflow_mm.datasets.bad_data import FILE_ERRNOS
from repflow_mm.datasets.video_reading.errors import BadVideoError, MissingVideoError

# As much of a file as shows whether it is text.
LOOKED_AT = 1024
# How files begin that name other files, which FFmpeg would open, whatever comes behind it.
PLAYLISTS = (b'#EXTM3U', b'ffconcat', b'<?xml', b'<MPD')


@dataclass(frozen=True)
class VideoSource:
    """A video file, or its bytes.

    Attributes:
        path: The file, or the name of what the bytes were read from.
        content: The bytes, if they do not lie in a file. Defaults to None.
    """

    path: str
    content: bytes | None = None

    def check(self) -> None:
        """Raise BadVideoError if there is no such file, or it is empty or text.

        Decoders take text such as playlists for videos, open the files that it names, or hang.

        Raises:
            OSError: If the machine is at fault, as with too many open files.
        """
        start = self._start()
        if not start:
            raise BadVideoError('the file has no bytes', self.path, 'empty')
        if start.lstrip(b'\xef\xbb\xbf \t\r\n').startswith(PLAYLISTS) or _is_text(start):
            raise BadVideoError(f'the file is text, which begins {start[:20]!r}', self.path)

    def _start(self) -> bytes:
        try:
            with self.opened() as file:
                return file.read(LOOKED_AT)
        except (FileNotFoundError, NotADirectoryError):
            raise MissingVideoError('the file does not exist', self.path) from None
        except OSError as error:
            if error.errno not in FILE_ERRNOS:
                raise
            raise BadVideoError(error.strerror, self.path, 'unreadable') from error

    def file(self) -> str | io.BytesIO:
        """What decoders open: the absolute path, in which no colon passes for a protocol, or a file in memory."""
        return os.path.abspath(self.path) if self.content is None else io.BytesIO(self.content)

    def opened(self) -> BinaryIO:
        """The bytes as a file, to be closed."""
        return open(self.path, 'rb') if self.content is None else io.BytesIO(self.content)


def _is_text(start: bytes) -> bool:
    try:
        text = start.decode()
    except UnicodeDecodeError as error:
        # The place where the file was cut may lie within a letter.
        if error.start < len(start) - 3:
            return False
        text = start[: error.start].decode()
    return all(letter.isprintable() or letter in '\t\n\r\f\ufeff' for letter in text)
