"""Flow over the pictures that it was computed from, as colour and as arrows."""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from repflow_mm.ops.arguments import check_count
from repflow_mm.visualization.flow_image import flow_to_image, longest_flow

# Arrows shorter than this share of the longest one are left out.
SHORTEST_ARROW = 0.2
# cv2's coordinates have this many fractional bits.
SHIFT = 4


def flow_overlay(image: Tensor, flow: Tensor, max_flow: float | None = None, opacity: float = 0.75) -> Tensor:
    """A picture in grey under the colours of its flow, which are the stronger, the longer the flow is.

    Args:
        image (Tensor): (3, H, W), uint8, RGB.
        flow (Tensor): (2, h, w), floating point, on any grid over the picture, in pixels of that grid.
        max_flow (float, optional): Length in pixels of the flow's grid that has the full colour. Defaults to the
            longest in ``flow``.
        opacity (float): Share of the colour where the flow is longest, in [0, 1]. Defaults to 0.75.

    Returns:
        Tensor: (3, H, W), uint8, RGB.

    Raises:
        TypeError: If ``image`` is not uint8 or ``flow`` not floating point.
        ValueError: If a shape, ``max_flow`` or ``opacity`` is not allowed.
    """
    _check_image(image)
    if not 0 <= opacity <= 1:
        raise ValueError(f'opacity must be in [0, 1], got {opacity}')
    longest = longest_flow(flow, max_flow)
    size = tuple(image.shape[-2:])
    # On a grid as fine as the picture, but in pixels of the flow's own grid, as max_flow is.
    flow = F.interpolate(flow.detach().float()[None], size, mode='bilinear', align_corners=False)[0]
    alpha = opacity * (flow.square().sum(0).sqrt() / longest).clamp(0, 1).nan_to_num()  # (H, W)
    grey = image.float().mean(dim=0, keepdim=True).expand(3, -1, -1)
    # The hue alone: how long the flow is shows in the share of the colour.
    hue = flow_to_image(flow / flow.square().sum(0).sqrt().clamp(min=1e-12), max_flow=1).float()
    return torch.lerp(grey, hue, alpha).round().to(torch.uint8)


def flow_arrows(image: Tensor, flow: Tensor, max_flow: float | None = None, spacing: int = 16) -> Tensor:
    """A picture with arrows along its flow: one for each square of ``spacing`` pixels, of the mean flow within.

    Args:
        image (Tensor): (3, H, W), uint8, RGB.
        flow (Tensor): (2, h, w), floating point, on any grid over the picture, in pixels of that grid.
        max_flow (float, optional): Length in pixels of the flow's grid that has the longest arrow, which fills its
            square; longer flow has it too. Defaults to the longest in ``flow``.
        spacing (int): Side of the squares in pixels of the picture, >= 4. Defaults to 16.

    Returns:
        Tensor: (3, H, W), uint8, RGB.

    Raises:
        TypeError: If ``image`` is not uint8 or ``flow`` not floating point.
        ValueError: If a shape, ``max_flow`` or ``spacing`` is not allowed.
    """
    _check_image(image)
    check_count('spacing', spacing, smallest=4)
    longest = longest_flow(flow, max_flow)
    height, width = image.shape[-2:]
    rows, columns = max(height // spacing, 1), max(width // spacing, 1)
    mean = F.adaptive_avg_pool2d(flow.detach().float().cpu(), (rows, columns)) / longest  # (2, rows, columns)
    length = mean.square().sum(0).sqrt()
    mean = mean / length.clamp(min=1)
    canvas = np.ascontiguousarray(image.cpu().permute(1, 2, 0).numpy())  # (3, H, W) -> (H, W, 3)
    for row, column in (length > SHORTEST_ARROW).nonzero().tolist():
        middle = np.array([(column + 0.5) * width / columns, (row + 0.5) * height / rows])
        _draw_arrow(canvas, middle, mean[:, row, column].numpy() * 0.9 * spacing)
    return torch.from_numpy(canvas).permute(2, 0, 1)  # (H, W, 3) -> (3, H, W)


def _draw_arrow(canvas: np.ndarray, middle: np.ndarray, vector: np.ndarray) -> None:
    """A white arrow with a dark edge, so that it shows on every ground; ``vector`` is (x, y) in pixels, y down."""
    start, end = (
        tuple(np.rint((place - 0.5) * 2**SHIFT).astype(int)) for place in (middle - vector / 2, middle + vector / 2)
    )
    tip = min(0.4, 5 / max(float(np.hypot(*vector)), 1.0))
    for colour, thickness in (((20, 20, 20), 2), ((255, 255, 255), 1)):
        cv2.arrowedLine(canvas, start, end, colour, thickness, cv2.LINE_AA, SHIFT, tip)


def _check_image(image: Tensor) -> None:
    if not isinstance(image, Tensor) or image.dtype != torch.uint8:
        raise TypeError(f'image must be a uint8 tensor, got {getattr(image, "dtype", type(image).__name__)}')
    if image.ndim != 3 or image.shape[0] != 3:
        raise ValueError(f'image must have shape (3, H, W), got {tuple(image.shape)}')
