"""Flow as colour: the hue is its direction, the saturation its length."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Steps of hue from one corner of the colour wheel to the next, from red over yellow, green, cyan, blue and magenta back
# to red: as many as the eye tells apart. Source: Baker et al., "A Database and Evaluation Methodology for Optical
# Flow", IJCV 2011, and its colour code.
STEPS = (15, 6, 4, 11, 13, 6)
CORNERS = ((1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 1, 1), (0, 0, 1), (1, 0, 1))


def flow_to_image(flow: Tensor, max_flow: float | None = None) -> Tensor:
    """Colours of the Middlebury benchmark for a flow field; arguments, result and convention are torchvision's.

    No flow is white. With y down, flow to the right is red, to the left cyan, down yellow and up blue-violet, as
    :func:`flow_legend` shows.

    Args:
        flow (Tensor): (2, H, W) or (N, 2, H, W), floating point, the x- and the y-component in pixels.
        max_flow (float, optional): Length in pixels that has the full colour; longer flow has it too. Defaults to the
            longest in ``flow``, as torchvision has it.

    Returns:
        Tensor: (3, H, W) or (N, 3, H, W), uint8, RGB. Flow that is not finite is black.

    Raises:
        TypeError: If ``flow`` is no floating-point tensor.
        ValueError: If its shape or ``max_flow`` is not allowed.
    """
    longest = longest_flow(flow, max_flow)
    flow = flow.detach().float()
    finite = flow.isfinite().all(dim=-3, keepdim=True)  # (..., 1, H, W)
    u_x, u_y = torch.where(finite, flow, 0).unbind(dim=-3)  # each (..., H, W)
    saturation = (torch.hypot(u_x, u_y) / longest).clamp(max=1)
    wheel = colour_wheel(flow.device)  # (55, 3)
    # Half a turn on: the wheel starts at the direction (-1, 0), which is cyan's opposite.
    place = (torch.atan2(-u_y, -u_x) / math.pi + 1) / 2 * (len(wheel) - 1)  # (..., H, W)
    before = place.floor().long()
    after = (before + 1) % len(wheel)
    hue = torch.lerp(wheel[before], wheel[after], (place - before).unsqueeze(-1))  # (..., H, W, 3)
    colour = 1 - saturation.unsqueeze(-1) * (1 - hue)
    image = (255 * colour).floor().to(torch.uint8).movedim(-1, -3)  # (..., H, W, 3) -> (..., 3, H, W)
    return torch.where(finite, image, 0)


def flow_legend(size: int = 64) -> Tensor:
    """The colour of each direction and length: the flow that points away from the middle of a disc.

    Args:
        size (int): Side of the picture in pixels, at least 2. Defaults to 64.

    Returns:
        Tensor: (3, size, size), uint8, RGB, white outside of the disc.

    Raises:
        ValueError: If ``size`` is below 2.
    """
    if size < 2:
        raise ValueError(f'size must be >= 2, got {size}')
    place = torch.linspace(-1, 1, size)
    flow = torch.stack(torch.meshgrid(place, place, indexing='xy'))  # (2, size, size)
    inside = flow.square().sum(0) <= 1
    return flow_to_image(torch.where(inside, flow, 0), max_flow=1)


def colour_wheel(device: torch.device | None = None) -> Tensor:
    """The colours around the wheel, (55, 3), each in [0, 1]."""
    colours = []
    for k, steps in enumerate(STEPS):
        start, end = (torch.tensor(CORNERS[i % len(CORNERS)], dtype=torch.float32) for i in (k, k + 1))
        # The benchmark's code has whole levels of brightness, 0 to 255.
        levels = (255 * torch.arange(steps) / steps).floor()[:, None]
        colours.append(start + (end - start) * levels / 255)
    return torch.cat(colours).to(device)


def longest_flow(flow: Tensor, max_flow: float | None = None) -> float:
    """``max_flow``, or the longest finite vector of a flow field if it is None, and above 0.

    Raises:
        TypeError, ValueError: As :func:`flow_to_image` has it.
    """
    check_flow(flow)
    if max_flow is None:
        length = torch.hypot(*flow.detach().float().unbind(dim=-3))
        longest = torch.where(length.isfinite(), length, 0).max().item()
        return max(longest, torch.finfo(torch.float32).tiny)
    if not 0 < max_flow < math.inf:
        raise ValueError(f'max_flow must be a positive number of pixels or None, got {max_flow}')
    return float(max_flow)


def check_flow(flow: Tensor) -> None:
    """Raise TypeError or ValueError for what is no flow field (2, H, W) or (N, 2, H, W)."""
    if not isinstance(flow, Tensor) or not flow.is_floating_point():
        given = flow.dtype if isinstance(flow, Tensor) else type(flow).__name__
        raise TypeError(f'flow must be a floating-point tensor, got {given}')
    if flow.ndim not in (3, 4) or flow.shape[-3] != 2:
        raise ValueError(f'flow must have shape (2, H, W) or (N, 2, H, W), got {tuple(flow.shape)}')
