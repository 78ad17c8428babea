"""Reading with torchcodec, which needs FFmpeg's shared libraries on the machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from torchcodec.decoders import VideoDecoder

from repflow_mm.datasets.video_reading.errors import BadVideoError
from repflow_mm.datasets.video_reading.judged_reader import JudgedReader
from repflow_mm.datasets.video_reading.sources import VideoSource


class TorchCodecReader(JudgedReader):
    """Seeks where PyAV does, with torchcodec's exact index, and decodes from the start elsewhere."""

    name = 'torchcodec'

    def __init__(self, source: VideoSource) -> None:
        super().__init__(source)
        self.in_order = self._judge.in_order
        self._decoder = self._open()
        self._check_count(len(self._decoder))

    def _open(self) -> VideoDecoder:
        with self._torchcodec_errors():
            file = self.source.file() if self.source.content is None else self.source.content
            return VideoDecoder(file, dimension_order='NHWC', num_ffmpeg_threads=1, seek_mode='exact')

    def frames(self) -> Iterator[np.ndarray]:
        """Decode every frame, see :meth:`VideoReader.frames`."""
        decoder = self._open()
        for index in range(len(decoder)):
            with self._torchcodec_errors():
                image = decoder[index].numpy()
            yield image

    def _decode(self, indices: Sequence[int]) -> dict[int, np.ndarray]:
        if self.in_order:
            return super()._decode(indices)
        with self._torchcodec_errors():
            images = self._decoder.get_frames_at(list(indices)).data.numpy()
        return dict(zip(indices, map(np.copy, images)))

    @contextmanager
    def _torchcodec_errors(self) -> Iterator[None]:
        try:
            yield
        except BadVideoError:
            raise
        except Exception as error:  # torchcodec raises whatever its C++ part does
            lines = str(error).splitlines() or [type(error).__name__]
            raise self._bad(lines[0]) from error
