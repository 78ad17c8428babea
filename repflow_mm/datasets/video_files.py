"""Writing of video files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from repflow_mm.files import temporary_name


def write_video(path: str | Path, frames: Iterable[np.ndarray], fps: int) -> int:
    """Write an mp4 file (MPEG-4 part 2); it appears under its name only when all of it can be read back.

    Args:
        path (str | Path): The file, in a folder that exists.
        frames (Iterable[np.ndarray]): One or more frames (H, W, 3), uint8, in OpenCV's order of colours; H and W
            even, the same for all.
        fps (int): Frames per second.

    Returns:
        int: Number of frames.

    Raises:
        OSError: If the file cannot be opened for writing, or is incomplete afterwards.
    """
    path = Path(path)
    temporary = temporary_name(path)
    try:
        written = _write(path, temporary, frames, fps)
        # VideoWriter reports no errors: a full disk shows only on reading back.
        readable = _count_frames(temporary)
        if readable != written:
            raise OSError(f'cannot write {path}: {readable} of {written} frames can be read back. Disk full?')
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return written


def _write(path: Path, temporary: Path, frames: Iterable[np.ndarray], fps: int) -> int:
    """Write the frames of ``path`` to ``temporary``; returns their number."""
    writer, count = None, 0
    try:
        for frame in frames:
            if writer is None:
                writer = _opened_writer(path, temporary, frame.shape[:2], fps)
            writer.write(frame)
            count += 1
    finally:
        if writer is not None:
            writer.release()
    return count


def _opened_writer(path: Path, temporary: Path, size: tuple[int, int], fps: int) -> cv2.VideoWriter:
    writer = cv2.VideoWriter(str(temporary), cv2.VideoWriter_fourcc(*'mp4v'), fps, size[::-1])
    if not writer.isOpened():
        raise OSError(
            f'cannot write {path}: OpenCV cannot open an mp4 file there. Is the folder writable, the disk full, '
            f'or opencv built without FFmpeg?'
        )
    return writer


def _count_frames(path: Path) -> int:
    if not path.exists() or not path.stat().st_size:
        return 0
    reader = cv2.VideoCapture(str(path))
    count = 0
    while reader.read()[0]:
        count += 1
    reader.release()
    return count
