"""Finite-difference operators of the flow solver, each with its own taps per channel.

Planes are (N, C, ..., H, W): x runs along the last axis, y along the one before it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

IMAGE_GRADIENTS = ('central', 'sobel')


def default_image_kernel(
    channels: int, kind: str = 'central', dtype: torch.dtype | None = None, device: torch.device | None = None
) -> Tensor:
    """Taps of the image gradient.

    Args:
        channels (int): Number of channels C.
        kind (str): ``'central'``, the difference (-1/2, 0, 1/2) along the axis, or ``'sobel'``, the 3x3 Sobel
            kernels divided by 8 (the paper's text). Defaults to ``'central'``.
        dtype (torch.dtype, optional): Defaults to torch's default.
        device (torch.device, optional): Defaults to the CPU.

    Returns:
        Tensor: (2, C, 3, 3), correlation kernels, ``[0]`` along x and ``[1]`` along y.

    Raises:
        ValueError: If ``kind`` is unknown.
    """
    if kind not in IMAGE_GRADIENTS:
        raise ValueError(f'image_gradient must be one of {IMAGE_GRADIENTS}, got {kind!r}')
    across = (0.0, 1.0, 0.0) if kind == 'central' else (0.25, 0.5, 0.25)
    along = torch.tensor((-0.5, 0.0, 0.5), dtype=dtype, device=device)
    kernel_x = torch.outer(along.new_tensor(across), along)  # (3, 3), rows are y
    return torch.stack((kernel_x, kernel_x.T))[:, None].repeat(1, channels, 1, 1)  # (2, C, 3, 3)


def default_taps(channels: int, dtype: torch.dtype | None = None, device: torch.device | None = None) -> Tensor:
    """Taps (-1, 1) of the flow gradient and of the divergence: (2, C, 2), ``[0]`` along x and ``[1]`` along y."""
    return torch.tensor((-1.0, 1.0), dtype=dtype, device=device).repeat(2, channels, 1)


def image_gradient(first: Tensor, second: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient of the second frame, correlated with ``kernel``, zeros outside the frame.

    Args:
        first (Tensor): F1, planes (N, C, H, W).
        second (Tensor): F2, planes (N, C, H, W).
        kernel (Tensor): (2, C, 3, 3).

    Returns:
        tuple[Tensor, Tensor]: g_x and g_y, each (N, C, H, W).
    """
    channels = second.shape[1]
    inner_x, inner_y = (
        F.conv2d(second, taps[:, None], padding=1, groups=channels)  # taps (C, 3, 3) -> (C, 1, 3, 3)
        for taps in kernel
    )
    # NOTE: the borders along the axis are one-sided differences of the *first* frame, whatever the taps: the
    # authors' released layer (rep_flow_layer.py, February 2019) has it so, and results are to match.
    left, right = (first[..., 1] - first[..., 0]) / 2, (first[..., -1] - first[..., -2]) / 2  # (N, C, H)
    top, bottom = (first[..., 1, :] - first[..., 0, :]) / 2, (first[..., -1, :] - first[..., -2, :]) / 2  # (N, C, W)
    grad_x = torch.cat((left[..., None], inner_x[..., 1:-1], right[..., None]), dim=-1)
    grad_y = torch.cat((top[..., None, :], inner_y[..., 1:-1, :], bottom[..., None, :]), dim=-2)
    return grad_x, grad_y


def flow_gradient(plane: Tensor, taps: Tensor) -> tuple[Tensor, Tensor]:
    """Flow gradient: ``taps[0] * u[i] + taps[1] * u[i + 1]`` along each axis, 0 at the last position.

    Args:
        plane (Tensor): (N, C, H, W).
        taps (Tensor): (2, C, 2), ``[0]`` along x and ``[1]`` along y.

    Returns:
        tuple[Tensor, Tensor]: The differences along x and along y, each (N, C, H, W).
    """
    (x0, x1), (y0, y1) = _per_channel(taps)
    along_x = x0 * plane[..., :-1] + x1 * plane[..., 1:]
    along_y = y0 * plane[..., :-1, :] + y1 * plane[..., 1:, :]
    return F.pad(along_x, (0, 1)), F.pad(along_y, (0, 0, 0, 1))


def divergence(p_x: Tensor, p_y: Tensor, taps: Tensor) -> Tensor:
    """Divergence: ``taps[0] * p[i - 1] + taps[1] * p[i]`` along each axis, summed.

    p is taken as 0 before the first and at the last position, so that with the default taps the first position is
    p alone and the last is minus the p before it: the negative adjoint of :func:`flow_gradient`.

    Args:
        p_x (Tensor): (N, C, H, W).
        p_y (Tensor): (N, C, H, W).
        taps (Tensor): (2, C, 2), ``[0]`` along x and ``[1]`` along y.

    Returns:
        Tensor: (N, C, H, W).
    """
    (x0, x1), (y0, y1) = _per_channel(taps)
    p_x, p_y = p_x[..., :-1], p_y[..., :-1, :]
    along_x = x0 * F.pad(p_x, (1, 0)) + x1 * F.pad(p_x, (0, 1))
    along_y = y0 * F.pad(p_y, (0, 0, 1, 0)) + y1 * F.pad(p_y, (0, 0, 0, 1))
    return along_x + along_y


def _per_channel(taps: Tensor) -> list[tuple[Tensor, Tensor]]:
    """(2, C, 2) -> for x and for y the two taps, each (C, 1, 1)."""
    return [(axis[:, 0, None, None], axis[:, 1, None, None]) for axis in taps]
