"""Frames folded into the batch, and back."""

from __future__ import annotations

from torch import Tensor


def fold_time(clips: Tensor) -> Tensor:
    """Frames of clips as a batch of images: (N, C, T, H, W) -> (N*T, C, H, W)."""
    return clips.transpose(1, 2).flatten(0, 1)  # (N, C, T, H, W) -> (N, T, C, H, W) -> (N*T, C, H, W)


def unfold_time(frames: Tensor, num_frames: int) -> Tensor:
    """The inverse of :func:`fold_time`, without a copy: (N*T, C, H, W) -> (N, C, T, H, W)."""
    return frames.unflatten(0, (-1, num_frames)).transpose(1, 2)  # (N, T, C, H, W) -> (N, C, T, H, W)


def average_neighbours(frames: Tensor, num_frames: int, window: int) -> Tensor:
    """Mean over each ``window`` neighbouring frames of a clip: (N*T, C, H, W) -> (N*(T-window+1), C, H, W)."""
    clips = frames.unflatten(0, (-1, num_frames))  # (N, T, C, H, W)
    kept = num_frames - window + 1
    return (sum(clips[:, i : i + kept] for i in range(window)) / window).flatten(0, 1)


def first_frames(frames: Tensor, num_frames: int, length: int) -> Tensor:
    """Each clip's first ``length`` frames: (N*T, C, H, W) -> (N*length, C, H, W)."""
    return frames.unflatten(0, (-1, num_frames))[:, :length].flatten(0, 1)  # (N, T, C, H, W) -> (N*length, C, H, W)


def repeat_last(frames: Tensor, num_frames: int, length: int) -> Tensor:
    """Repeat each clip's last frame up to ``length`` frames: (N*T, C, H, W) -> (N*length, C, H, W)."""
    clips = frames.unflatten(0, (-1, num_frames))  # (N, T, C, H, W)
    index = [min(i, num_frames - 1) for i in range(length)]
    return clips[:, index].flatten(0, 1)
