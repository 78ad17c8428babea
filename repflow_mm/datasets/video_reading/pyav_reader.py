"""Reading with PyAV, which brings its own FFmpeg: the decoder that the others are judged by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from repflow_mm.datasets.video_reading.errors import BadVideoError
from repflow_mm.datasets.video_reading.packet_index import KeyFrame, PacketIndex, identity, unseekable_reason
from repflow_mm.datasets.video_reading.reader import VideoReader
from repflow_mm.datasets.video_reading.sources import VideoSource
from repflow_mm.datasets.video_reading.strict_stream import StrictStream

# Frames that were decoded to be counted are kept up to this many bytes, and not decoded again.
BYTES_KEPT = 256 * 2**20
# Decoding on is cheaper than seeking if fewer frames than these could be left out.
FRAMES_WORTH_A_SEEK = 8


class SeekingError(Exception):
    """Decoding from a key frame does not give the frames that should follow it."""


class PyAVReader(VideoReader):
    """Seeks where the container tells the time of every frame and decodes from the start elsewhere.

    Whatever seeking gives is compared with the times in the file's index; at the least doubt the frames are decoded
    from the start. Every error that FFmpeg reports is one, also where it would conceal it.
    """

    def __init__(self, source: VideoSource) -> None:
        super().__init__(source)
        self._stream = StrictStream(source)
        self._kept: list[av.VideoFrame] | None = None
        self._to_rgb = _RGB()
        rate = self._stream.video.average_rate or self._stream.video.guessed_rate
        self.average_fps = float(rate) if rate else 0.0
        self.in_order = unseekable_reason(self._stream.format_name, self._stream.codec_name)
        self._index = None
        if not self.in_order:
            self._index = PacketIndex(self._stream.packet_rows(), self._stream.codec_name)
            self.in_order = self._index.problem
        if self.in_order:
            self._index = None

    @property
    def format_name(self) -> str:
        """FFmpeg's name of the container."""
        return self._stream.format_name

    @cached_property
    def is_interlaced(self) -> bool:
        """Whether the first frame is of two fields."""
        first = self._kept[0] if self._kept else next(self._decoded_from_start(), None)
        return first is not None and first.interlaced_frame

    def why_not_sought(self) -> str:
        """Try the key frame in the middle: why frames cannot be found by seeking; empty if they can."""
        if not self.in_order and self._index.keys:
            self._decode([self._index.keys[len(self._index.keys) // 2].number])
        return self.in_order

    def __len__(self) -> int:
        return self._count

    @cached_property
    def _count(self) -> int:
        count = len(self._index.times) if self._index else self._count_by_decoding()
        if not count:
            raise self._bad('the video has no frames', 'empty')
        return count

    def _count_by_decoding(self) -> int:
        """Decode every frame, or those before ``end``, and keep them if they are not too many."""
        kept, size, count = [], 0, 0
        for frame in islice(self._decoded_from_start(), self.end):
            count += 1
            size += sum(plane.buffer_size for plane in frame.planes)
            if size <= BYTES_KEPT:
                kept.append(frame)
            else:
                kept.clear()
        self._kept = kept or None
        return count

    def _decoded_from_start(self) -> Iterator[av.VideoFrame]:
        self._stream.rewind()
        yield from self._stream.decode(self._stream.packets())

    def frames(self) -> Iterator[np.ndarray]:
        """Decode every frame, see :meth:`VideoReader.frames`; ends with an error if the index has more of them."""
        count = 0
        for frame in self._kept or self._decoded_from_start():
            yield self._to_rgb(frame)
            count += 1
        if self._index and count != len(self._index.times):
            raise self._bad(f'its index has {len(self._index.times)} frames, {count} decode')
        if not count:
            raise self._bad('the video has no frames', 'empty')

    def _decode(self, indices: Sequence[int]) -> dict[int, np.ndarray]:
        if self._kept:
            return {index: self._to_rgb(self._kept[index]) for index in indices}
        if self.in_order:
            return super()._decode(indices)
        try:
            return self._decode_by_seeking(indices)
        except (SeekingError, BadVideoError) as error:
            # Read in order, the frames are right, or the error is the video's.
            self.in_order = str(error) if isinstance(error, SeekingError) else error.message
            return super()._decode(indices)

    def _decode_by_seeking(self, indices: Sequence[int]) -> dict[int, np.ndarray]:
        found, wanted = {}, list(indices)
        while wanted:
            for number, frame in self._frames_from(self._index.key_before(wanted[0])):
                if number == wanted[0]:
                    found[number] = self._to_rgb(frame)
                    wanted.pop(0)
                if not wanted or self._is_worth_a_seek(number, wanted[0]):
                    break
            else:
                raise SeekingError(f'the video ends before frame {wanted[0]}')
        return found

    def _is_worth_a_seek(self, number: int, wanted: int) -> bool:
        key = self._index.key_before(wanted)
        return key is not None and key.number - number > FRAMES_WORTH_A_SEEK

    def _frames_from(self, key: KeyFrame | None) -> Iterator[tuple[int, av.VideoFrame]]:
        """Numbers and frames from a key frame on, or from the first packet.

        Raises:
            SeekingError: If they are not those that the index says.
        """
        number, start = (0, None) if key is None else (key.number, key.time)
        for frame in self._stream.decode(self._packets_from(key), right_from=start):
            if start is not None and (frame.pts is None or frame.pts < start):
                continue
            if number >= len(self._index.times) or frame.pts != self._index.times[number]:
                raise SeekingError(f'frame {number} does not come when it should')
            # NOTE: FFmpeg marks the places where an intra refresh begins as key frames; the picture is right later.
            if key is not None and number == key.number and frame.pict_type != av.video.frame.PictureType.I:
                raise SeekingError(f'frame {number}, a key frame, is not coded by itself')
            yield number, frame
            number += 1

    def _packets_from(self, key: KeyFrame | None) -> Iterator[av.Packet]:
        if key is None:
            self._stream.rewind()
            yield from self._stream.packets()
            return
        self._stream.seek(key.time)
        has_begun = False
        for packet in self._stream.packets():
            has_begun = has_begun or identity(packet) == key.packet
            if has_begun:
                yield packet
        if not has_begun:
            raise SeekingError(f'the key frame {key.number} is not found')


class _RGB:
    """Frames as (H, W, 3), uint8, red, green and blue, upright, of the first one's size."""

    def __init__(self) -> None:
        self.reformatter, self.size = VideoReformatter(), None

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        self.size = self.size or (frame.width, frame.height)
        width, height = self.size
        image = self.reformatter.reformat(frame, width=width, height=height, format='rgb24').to_ndarray()
        turns = round(frame.rotation / 90) % 4
        return np.ascontiguousarray(np.rot90(image, turns))
