"""Reading with OpenCV's VideoCapture."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from repflow_mm.datasets.video_reading.judged_reader import JudgedReader


class OpenCVReader(JudgedReader):
    """Decodes from the start always: VideoCapture can only guess which frame it seeks to."""

    name = 'opencv'
    in_order = 'OpenCV does not know which frame it seeks to'

    def _unread_reason(self) -> str:
        if self.source.content is not None:
            return 'OpenCV reads files alone, no other io_backend'
        return 'OpenCV gives no pictures of interlaced frames' if self._judge.is_interlaced else ''

    def frames(self) -> Iterator[np.ndarray]:
        """Decode every frame, see :meth:`VideoReader.frames`."""
        capture = cv2.VideoCapture(self.source.file(), cv2.CAP_FFMPEG)
        count = 0
        try:
            if not capture.isOpened():
                raise self._unsupported('OpenCV cannot open it')
            is_read, image = capture.read()
            while is_read:
                yield cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
                count += 1
                is_read, image = capture.read()
        finally:
            capture.release()
        self._check_count(count)
