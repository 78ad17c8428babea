"""What every decoder's reader does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np

from repflow_mm.datasets.video_reading.errors import BadVideoError
from repflow_mm.datasets.video_reading.sources import VideoSource


class VideoReader(ABC):
    """A video's frames, by their numbers in the order of decoding from the start.

    Frames are (H, W, 3), uint8, red, green and blue, turned as the file says, all of the first one's size.

    Args:
        source (VideoSource): The video.

    Attributes:
        average_fps (float): Frames per second; 0 where the file does not say.
        in_order (str): Why every read decodes from the start; empty where the reader seeks.
        end (int, optional): A reader that decodes from the start to count the frames stops after so many; that those
            behind are damaged does not matter then. Set before the first read. Defaults to None, all.

    Raises:
        BadVideoError: If the video cannot be used.
    """

    average_fps: float = 0.0
    in_order: str = ''
    end: int | None = None

    def __init__(self, source: VideoSource) -> None:
        source.check()
        self.source = source

    def limit_to_part(self, offset: int, total_frames: int) -> None:
        """Say, before the first read, that frames of a part alone will be read, so that what is behind it need not be.

        Args:
            offset (int): How many frames precede the part.
            total_frames (int): How many it has.

        Raises:
            BadVideoError: If the video ends before the part does, ``'short'``, or cannot be used.
        """
        self.end = offset + total_frames
        if self.end > len(self):
            raise self._bad(f'offset + total_frames is {self.end}, the video has {len(self)} frames', 'short')

    @abstractmethod
    def __len__(self) -> int:
        """The number of frames that decode."""

    @abstractmethod
    def frames(self) -> Iterator[np.ndarray]:
        """Decode every frame, from the first to the last.

        Raises:
            BadVideoError: If the video is damaged, as soon as that shows.
        """

    def get_frames(self, indices: Sequence[int]) -> list[np.ndarray]:
        """Decode some frames.

        Args:
            indices (Sequence[int]): Which, in any order, with repetitions.

        Returns:
            list[np.ndarray]: A frame for each index, none of which shares its memory with another.

        Raises:
            IndexError: If the video has no such frame.
            BadVideoError: If the video is damaged.
        """
        indices = [int(index) for index in indices]
        outside = [index for index in indices if not 0 <= index < len(self)]
        if outside:
            raise IndexError(f'video {self.source.path} has frames 0 to {len(self) - 1}, asked for {outside}')
        found = self._decode(sorted(set(indices)))
        taken, images = set(), []
        for index in indices:
            images.append(found[index].copy() if index in taken else found[index])
            taken.add(index)
        return images

    def _decode(self, indices: Sequence[int]) -> dict[int, np.ndarray]:
        """Frames by index; ``indices`` ascend."""
        wanted, found = set(indices), {}
        if not wanted:
            return found
        for index, image in enumerate(self.frames()):
            if index in wanted:
                found[index] = image
                if len(found) == len(wanted):
                    return found
        raise self._bad(f'it ends before frame {indices[-1]}, of {len(self)}')

    def _bad(self, message: str, status: str = 'corrupt') -> BadVideoError:
        return BadVideoError(message, self.source.path, status)
