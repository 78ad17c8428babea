"""Reading with torchcodec, which needs FFmpeg's shared libraries on the machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torchcodec.decoders import VideoDecoder

from repflow_mm.datasets.video_reading.judged_reader import JudgedReader
from repflow_mm.datasets.video_reading.packet_index import SEEKABLE_FORMATS
from repflow_mm.datasets.video_reading.sources import VideoSource


class TorchCodecReader(JudgedReader):
    """Seeks where PyAV does, with torchcodec's exact index, and decodes from the start elsewhere.

    Containers that do not tell the time of every frame are refused: torchcodec knows frames by nothing else.
    """

    name = 'torchcodec'

    def __init__(self, source: VideoSource) -> None:
        super().__init__(source)
        self.in_order = self._judge.in_order
        self._decoder = self._open()
        self._check_count(len(self._decoder))

    def _unread_reason(self) -> str:
        name = self._judge.format_name
        return (
            '' if name in SEEKABLE_FORMATS else f'torchcodec needs the times of frames, which {name} files do not tell'
        )

    def _open(self) -> VideoDecoder:
        with self._errors():
            file = self.source.file() if self.source.content is None else self.source.content
            return VideoDecoder(file, dimension_order='NHWC', num_ffmpeg_threads=1, seek_mode='exact')

    def frames(self) -> Iterator[np.ndarray]:
        """Decode every frame, see :meth:`VideoReader.frames`."""
        decoder = self._open()
        for index in range(len(decoder)):
            with self._errors():
                image = decoder[index].numpy()
            yield image

    def _decode(self, indices: Sequence[int]) -> dict[int, np.ndarray]:
        self.in_order = self.in_order or self._judge.why_not_sought()
        if self.in_order:
            return super()._decode(indices)
        with self._errors():
            images = self._decoder.get_frames_at(list(indices)).data.numpy()
        return dict(zip(indices, map(np.copy, images)))
