"""What the readers of decoders have in common that count, time or conceal in their own ways."""

from __future__ import annotations

from functools import cached_property

from repflow_mm.datasets.video_reading.pyav_reader import PyAVReader
from repflow_mm.datasets.video_reading.reader import VideoReader
from repflow_mm.datasets.video_reading.sources import VideoSource


class JudgedReader(VideoReader):
    """A reader whose number of frames is PyAV's: a decoder that finds another one cannot read the video.

    Attributes:
        name: The decoder.
        unread_formats: FFmpeg's names of the containers of which it gives other frames, and why.
    """

    name: str
    unread_formats: dict[str, str] = {}

    def __init__(self, source: VideoSource) -> None:
        super().__init__(source)
        self._judge = PyAVReader(source)
        self.average_fps = self._judge.average_fps
        reason = self.unread_formats.get(self._judge.format_name)
        if reason:
            raise self._bad(f"{reason}; use decoder='pyav'", 'unsupported')

    @cached_property
    def _length(self) -> int:
        return len(self._judge)

    def __len__(self) -> int:
        return self._length

    def _check_count(self, count: int) -> None:
        if count != len(self):
            found = f'{self.name} finds {count} frames where {len(self)} decode'
            raise self._bad(f"{found}; use decoder='pyav'", 'unsupported')
