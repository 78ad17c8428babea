"""Reading with decord (or decord2, which has the same import name)."""

from __future__ import annotations

from collections.abc import Iterator

import decord
import numpy as np

from repflow_mm.datasets.video_reading.judged_reader import JudgedReader
from repflow_mm.datasets.video_reading.sources import VideoSource


class DecordReader(JudgedReader):
    """Decodes from the start always: decord's seeking gives other frames of many files, without a word."""

    name = 'decord'
    in_order = 'decord seeks to other frames than those asked for'

    def __init__(self, source: VideoSource) -> None:
        super().__init__(source)
        decord.logging.set_level(decord.logging.QUIET)
        self._check_count(len(self._open()))

    def _unread_reason(self) -> str:
        is_ts = self._judge.format_name == 'mpegts'
        return 'of transport streams decord repeats frames and leaves others out' if is_ts else ''

    def _open(self) -> decord.VideoReader:
        with self._errors():
            return decord.VideoReader(self.source.file(), num_threads=1)

    def frames(self) -> Iterator[np.ndarray]:
        """Decode every frame, see :meth:`VideoReader.frames`."""
        reader = self._open()
        for _ in range(len(reader)):
            with self._errors():
                image = reader.next().asnumpy()
            yield without_padding(image)


def without_padding(frame: np.ndarray) -> np.ndarray:
    """A frame of decord's as (H, W, 3).

    NOTE: at a few widths, such as 48, decord 0.6 takes the padding of rows for further channels.
    """
    height, width = frame.shape[:2]
    return np.ascontiguousarray(frame.reshape(height, -1)[:, : 3 * width]).reshape(height, width, 3)
