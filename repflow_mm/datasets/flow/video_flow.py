"""Classical flow of a whole video."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import torch

from repflow_mm.classical_flow.methods import method_named
from repflow_mm.datasets.video_reading import BadVideoError, read_frames


def video_flow(
    path: str,
    short_side: int | None,
    method: str = 'tvl1',
    parameters: object | None = None,
    batch: int = 16,
    device: str = 'cpu',
    decoder: str | None = None,
) -> Iterator[np.ndarray]:
    """Compute the flow from every frame of a video to the next; a part of the video is in memory at a time.

    Args:
        path (str): The video.
        short_side (int, optional): Pixels of the shorter side that frames are resized to first; None for their own.
        method (str): A name out of :data:`repflow_mm.classical_flow.METHODS`. Defaults to ``'tvl1'``.
        parameters (object, optional): The method's parameters. Defaults to None, their defaults.
        batch (int): Pairs of frames at a time. Defaults to 16.
        device (str): Where flow is computed. Defaults to ``'cpu'``.
        decoder (str, optional): See :func:`repflow_mm.datasets.video_reading.chosen_decoder`. Defaults to None.

    Yields:
        np.ndarray: The next flows (n, 2, H, W), float32, n <= ``batch``: x and y, in pixels of the resized frames.

    Raises:
        BadVideoError: If the video is missing, empty or corrupt, has one frame only (``'short'``), or its frames are
            smaller than the method takes (``'small'``).
    """
    compute = method_named(method).compute
    for frames in _frame_batches(path, short_side, batch, decoder):
        images = torch.from_numpy(frames).permute(0, 3, 1, 2).to(device)  # (n, H, W, 3) -> (n, 3, H, W)
        with torch.inference_mode():
            try:
                u = compute(images[:-1], images[1:], parameters)  # (n - 1, 2, H, W)
            except ValueError as error:
                raise BadVideoError(f'frames of {images.shape[2]}x{images.shape[3]}: {error}', path, 'small') from error
        yield u.cpu().numpy()


def _frame_batches(path: str, short_side: int | None, batch: int, decoder: str | None) -> Iterator[np.ndarray]:
    """Runs of up to ``batch + 1`` frames, (n, H, W, 3); each begins with the last frame of the one before."""
    frames, is_short = [], True
    for frame in read_frames(path, decoder):
        frames.append(_resize(frame, short_side))
        if len(frames) == batch + 1:
            yield np.stack(frames)
            frames, is_short = frames[-1:], False
    if len(frames) > 1:
        yield np.stack(frames)
    elif is_short:
        raise BadVideoError('the video has 1 frame; flow needs 2', path, 'short')


def _resize(frame: np.ndarray, short_side: int | None) -> np.ndarray:
    """A frame (H, W, 3) at the size whose shorter side is given, its proportions kept but for rounding."""
    height, width = frame.shape[:2]
    if short_side in (None, min(height, width)):
        return frame
    scale = short_side / min(height, width)
    size = (round(width * scale), round(height * scale))
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
