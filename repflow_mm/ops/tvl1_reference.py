"""The specification of TV-L1 flow at one level of the pyramid, in plain PyTorch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from repflow_mm.ops.image_pairs import stays_inside, warp
from repflow_mm.ops.reference import Linearisation, iterate, scalars_like
from repflow_mm.ops.stencils import default_taps
from repflow_mm.ops.tvl1_parameters import TVL1Parameters


def solve_level_ref(images: Tensor, u: Tensor, parameters: TVL1Parameters) -> Tensor:
    """Refine a flow by ``num_warps`` linearisations of the second image around it.

    The dual field starts at zero and is kept from warp to warp.

    Args:
        images (Tensor): (N, 2, H, W): the first and the second image of each pair, grey levels.
        u (Tensor): (N, 2, H, W): where to start, in pixels of this level.
        parameters (TVL1Parameters): The method's parameters.

    Returns:
        Tensor: u, (N, 2, H, W), in pixels of this level. Differentiable in ``images`` and ``u``.
    """
    first, second = images.split(1, dim=1)  # (N, 2, H, W) -> (N, 1, H, W) each
    sampled = torch.cat((second, *central_difference(second)), dim=1)  # (N, 3, H, W)
    u, p = u.split(1, dim=1), (torch.zeros_like(first),) * 4
    for _ in range(parameters.num_warps):
        value, grad_x, grad_y = warp(sampled, *u).split(1, dim=1)
        inside = stays_inside(*u)
        # A pixel that leaves the image has no data term.
        grad_x, grad_y = grad_x * inside, grad_y * inside
        rho_c = (value - first) * inside - (grad_x * u[0] + grad_y * u[1])
        u, p = _solve_warp(u, p, Linearisation.of(grad_x, grad_y, rho_c), parameters)
    return torch.cat(u, dim=1)


def _solve_warp(u, p, data: Linearisation, parameters: TVL1Parameters) -> tuple[tuple, tuple]:
    """Median filter and iterations in turn; a pair stops when its u changes no more than the tolerance."""
    terms = scalars_like(u[0], parameters.theta, parameters.lam, parameters.tau)
    taps = default_taps(1, dtype=u[0].dtype, device=u[0].device)
    tolerance = parameters.tolerance(*u[0].shape[2:])
    active = torch.ones_like(u[0][:, :1, :1, :1], dtype=torch.bool)  # (N, 1, 1, 1)
    for _ in range(parameters.outer_iters):
        u = _where(active, tuple(median_filter(field, parameters.median_filter) for field in u), u)
        for _ in range(parameters.inner_iters):
            new_u, new_p = iterate(u, p, data, *terms, taps, taps)
            change = sum(((new - old) ** 2).sum(dim=(1, 2, 3), keepdim=True) for new, old in zip(new_u, u))
            u, p = _where(active, new_u, u), _where(active, new_p, p)
            active = active & (change > tolerance)
            if not active.any():
                return u, p
    return u, p


def _where(active: Tensor, new: tuple, old: tuple) -> tuple:
    return tuple(torch.where(active, a, b) for a, b in zip(new, old))


def central_difference(image: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences along x and y, the border repeated; image and results (N, 1, H, W)."""
    padded = F.pad(image, (1, 1, 1, 1), mode='replicate')
    return (
        (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2,
        (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2,
    )


def median_filter(field: Tensor, size: int) -> Tensor:
    """Median of the ``size`` x ``size`` neighbourhood, the border repeated; (N, 1, H, W), unchanged for size 1."""
    if size == 1:
        return field
    n, _, height, width = field.shape
    padded = F.pad(field, (size // 2,) * 4, mode='replicate')
    neighbours = F.unfold(padded, size)  # (N, size * size, H * W)
    return neighbours.median(dim=1).values.reshape(n, 1, height, width)
