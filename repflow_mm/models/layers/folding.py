"""Frames folded into the batch, and what is done with the frames of a clip."""

from __future__ import annotations

from torch import Tensor


def fold_time(clips: Tensor) -> Tensor:
    """Frames of clips as a batch of images: (N, C, T, H, W) -> (N*T, C, H, W)."""
    return clips.transpose(1, 2).flatten(0, 1)  # (N, C, T, H, W) -> (N, T, C, H, W) -> (N*T, C, H, W)


def unfold_time(frames: Tensor, num_frames: int) -> Tensor:
    """The inverse of :func:`fold_time`, without a copy: (N*T, C, H, W) -> (N, C, T, H, W)."""
    return frames.unflatten(0, (-1, num_frames)).transpose(1, 2)  # (N, T, C, H, W) -> (N, C, T, H, W)


def average_neighbours(clips: Tensor, window: int) -> Tensor:
    """Mean over each ``window`` neighbouring frames: (N, C, T, H, W) -> (N, C, T-window+1, H, W)."""
    if window == 1:
        return clips
    kept = clips.shape[2] - window + 1
    return sum(clips[:, :, i : i + kept] for i in range(window)) / window


def repeat_last(clips: Tensor, length: int) -> Tensor:
    """Repeat each clip's last frame up to ``length`` frames: (N, C, T, H, W) -> (N, C, length, H, W)."""
    index = [min(i, clips.shape[2] - 1) for i in range(length)]
    return clips.transpose(1, 2)[:, index].transpose(1, 2)  # frame by frame in memory, as folded frames are
