"""Optical flow on disk: its quantisation, and the two layouts that a video's flow is written in.

A displacement of u pixels is stored as ``round((clip(u, -bound, bound) + bound) / (2 * bound) * 255)``, uint8, for x
and y each. NOTE: no level is zero motion, which becomes 128, half a step too much; mirrored (255 - 128) it is half a
step too little.

``'jpg'`` is MMAction2's layout, which its ``RawFrameDecode`` reads: a folder for a video with ``x_00001.jpg`` and
``y_00001.jpg``, the flow from the first frame to the second, and so on. ``'mp4'`` is a file for a video, which
:class:`repflow_mm.datasets.FlowFileDecode` reads: MPEG-4 part 2, a frame for a flow, grey, with y below x.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from repflow_mm.datasets.video_files import write_video
from repflow_mm.flow_names import FLOW_FILE_SUFFIX

# RawframeDataset's filename_tmpl for flow, with its start_index of 1.
FLOW_TEMPLATE = '{}_{:05d}.jpg'
JPEG_QUALITY = 95
# A video file must have a frame rate; nothing depends on it, as flows are read by their numbers.
FILE_FPS = 25


def _written_levels() -> np.ndarray:
    """For each level the grey that comes back nearest to it, as green, from a video file: (256,), uint8.

    NOTE: a video has 220 levels of luma. OpenCV writes grey g as luma floor(219 g / 255), and of luma k decord gives
    back green floor(255 k / 219); red and blue are further off.
    """
    luma = np.arange(220)
    distances = abs(luma * 255 // 219 - np.arange(256)[:, None])  # (256, 220)
    nearest = 219 - distances[:, ::-1].argmin(axis=1)  # of two the higher, so that zero motion is a level itself
    return -(-nearest * 255 // 219).astype(np.uint8)


_WRITTEN_LEVELS = _written_levels()


def quantize_flow(u: np.ndarray, bound: float) -> np.ndarray:
    """Displacements in pixels as uint8 levels; what exceeds ``bound`` pixels is clipped."""
    return np.rint((np.clip(u.astype(np.float64), -bound, bound) + bound) / (2 * bound) * 255).astype(np.uint8)


def dequantize_flow(levels: np.ndarray, bound: float) -> np.ndarray:
    """Levels as displacements in pixels, float32; the inverse of :func:`quantize_flow` up to its rounding."""
    return (levels.astype(np.float64) / 255 * (2 * bound) - bound).astype(np.float32)


def write_flow_folder(folder: Path, levels: Iterable[np.ndarray]) -> int:
    """Make a folder of x and y JPEG images of flows (2, H, W), uint8, x first; returns their number.

    Raises:
        OSError: If a file cannot be written.
    """
    folder.mkdir()
    number = 0
    for number, flow in enumerate(levels, start=1):
        for component, image in zip('xy', flow):
            # Not imwrite, which hides a full disk.
            encoded = cv2.imencode('.jpg', image, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))[1]
            (folder / FLOW_TEMPLATE.format(component, number)).write_bytes(encoded.tobytes())
    return number


def write_flow_file(path: Path, levels: Iterable[np.ndarray]) -> int:
    """Write flows (2, H, W), uint8, x first, as a video file; returns their number.

    A width that is odd or that decord cannot read gains a few copies of its last column.

    Raises:
        OSError: If the file cannot be written.
    """
    return write_video(path, _flow_images(levels), FILE_FPS)


def _flow_images(levels: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    for flow in levels:
        image = flow.reshape(-1, flow.shape[2])  # (2, H, W) -> (2H, W), y below x
        width = image.shape[1]
        image = np.pad(image, ((0, 0), (0, readable_width(width) - width)), mode='edge')
        yield cv2.cvtColor(_WRITTEN_LEVELS[image], cv2.COLOR_GRAY2BGR)


def readable_width(width: int) -> int:
    """The least width from ``width`` on that the codec and decord can both do.

    NOTE: the codec needs an even one. Decord 0.6 takes rows, which FFmpeg pads to 32 pixels, for rows of more than
    three channels where the numbers come out even: at 16, 24, 48 and 72 pixels and some below.
    """
    while width % 2 or (width % 32 and 96 * -(-width // 32) % width == 0):
        width += 1
    return width


def split_flow_image(image: np.ndarray) -> np.ndarray:
    """The flow (H, W, 2), uint8, in a decoded frame (2H, W, 3) of a file by :func:`write_flow_file`."""
    x, y = np.split(image[..., 1], 2)  # (2H, W) -> (H, W) twice
    return np.stack((x, y), axis=-1)


@dataclass(frozen=True)
class FlowFormat:
    """How a video's flow is kept: the suffix of its name, and what makes a path of flows (2, H, W), uint8."""

    suffix: str
    write: Callable[[Path, Iterable[np.ndarray]], int]


FORMATS = {'jpg': FlowFormat('', write_flow_folder), 'mp4': FlowFormat(FLOW_FILE_SUFFIX, write_flow_file)}
