"""What the readers of decoders have in common that count, time or conceal in their own ways."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from repflow_mm.datasets.video_reading.errors import BadVideoError
from repflow_mm.datasets.video_reading.pyav_reader import PyAVReader
from repflow_mm.datasets.video_reading.reader import VideoReader
from repflow_mm.datasets.video_reading.sources import VideoSource


class JudgedReader(VideoReader):
    """A reader whose number of frames is PyAV's: a decoder that finds another one cannot read the video.

    Attributes:
        name: The decoder.
    """

    name: str

    def __init__(self, source: VideoSource) -> None:
        super().__init__(source)
        self._judge = PyAVReader(source)
        self.average_fps = self._judge.average_fps
        reason = self._unread_reason()
        if reason:
            raise self._unsupported(reason)

    def _unread_reason(self) -> str:
        """Why the decoder gives other frames of such a file, or none; empty if it does not."""
        return ''

    @cached_property
    def _length(self) -> int:
        return len(self._judge)

    def __len__(self) -> int:
        return self._length

    def _check_count(self, count: int) -> None:
        if count != len(self):
            raise self._unsupported(f'{self.name} finds {count} frames where {len(self)} decode')

    def _unsupported(self, reason: str) -> BadVideoError:
        return self._bad(f"{reason}; use decoder='pyav'", 'unsupported')

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Take whatever the decoder raises for something that it cannot read."""
        try:
            yield
        except BadVideoError:
            raise
        except Exception as error:  # of no common kind, as decord's, which are bare Exceptions
            raise self._unsupported(f'{self.name} cannot read it ({_without_places(error)})') from error


def _without_places(error: Exception) -> str:
    """The first line of an error without the time and the source file that decoders put before it."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return re.sub(r'\[\d\d:\d\d:\d\d\] \S+: ', '', lines[0]) if lines else type(error).__name__
