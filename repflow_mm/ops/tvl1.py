"""Classical TV-L1 optical flow of image pairs, coarse to fine, over the solver's backends."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from repflow_mm.ops.arguments import at_least_float32
from repflow_mm.ops.backends import Backend, choose_backend
from repflow_mm.ops.compiler import run_eagerly
from repflow_mm.ops.cpu import tvl1 as tvl1_cpu
from repflow_mm.ops.tvl1_parameters import TVL1Parameters
from repflow_mm.ops.tvl1_reference import solve_level_ref

# ITU-R BT.601 luma of red, green and blue.
GREY_WEIGHTS = (0.299, 0.587, 0.114)
# No level of the pyramid, but for the images themselves, has a shorter side.
SHORTEST_SIDE = 16

# In the order in which 'auto' tries them; `solve` takes images and u, (N, 2, H, W) each, the parameters, and where to
# count its work, (N, 2), or None.
BACKENDS = {
    'cpu': Backend(unsupported_reasons=tvl1_cpu.unsupported_reasons, solve=tvl1_cpu.solve_level),
    'reference': Backend(unsupported_reasons=lambda images: [], solve=solve_level_ref),
}


class LevelWork(NamedTuple):
    """What one level of the pyramid took: for each of N pairs rounds of the median filter and iterations, (N, 2)."""

    height: int
    width: int
    counts: Tensor


@run_eagerly
def tvl1_flow(
    prev: Tensor,
    next: Tensor,
    tau: float = 0.25,
    lam: float = 0.15,
    theta: float = 0.3,
    num_scales: int = 5,
    scale_factor: float = 0.8,
    num_warps: int = 5,
    inner_iters: int = 30,
    outer_iters: int = 10,
    epsilon: float = 0.01,
    median_filter: int = 5,
    backend: str = 'auto',
) -> Tensor:
    """TV-L1 optical flow from ``prev`` to ``next``: ``next(x + u_x, y + u_y)`` looks like ``prev(x, y)``.

    Source: Zach, Pock & Bischof, "A Duality Based Approach for Realtime TV-L1 Optical Flow", DAGM 2007, with the
    parameters and defaults of OpenCV's ``DualTVL1OpticalFlow``. Each level of an image pyramid, the coarsest first,
    linearises brightness constancy around the flow so far (``num_warps`` times) and solves it by the iterations of
    :func:`repflow_mm.ops.rep_flow`; ``repflow_mm/ops/README.md`` has the equations.

    Differentiable in ``prev`` and ``next`` with ``backend='reference'`` alone, through every iteration that was run
    (their number, the median's choice and what leaves the image count as constants), which keeps them all in memory;
    ``'auto'`` takes it when an image requires gradients. Inside a compiled function it runs eagerly.

    Args:
        prev (Tensor): First images (N, 1, H, W), grey, or (N, 3, H, W), red, green and blue, of which the grey
            version 0.299 R + 0.587 G + 0.114 B is taken; uint8 or floating point in [0, 255]; H, W >= 2.
        next (Tensor): Second images, of the same shape, dtype and device.
        tau (float): Step of the dual ascent. Defaults to 0.25.
        lam (float): Weight of the data term; less makes the flow smoother. Defaults to 0.15.
        theta (float): Tightness of the coupling of v and u. Defaults to 0.3.
        num_scales (int): Levels of the pyramid at most; none is shorter than 16 pixels but the images themselves.
            Defaults to 5.
        scale_factor (float): Size of a level relative to the next finer one, in (0, 1). Defaults to 0.8.
        num_warps (int): Linearisations at each level. Defaults to 5.
        inner_iters (int): Iterations between two median filters. Defaults to 30.
        outer_iters (int): Rounds of median filter and inner iterations in each warp at most. Defaults to 10.
        epsilon (float): A pair's warp ends after the iteration whose root mean squared change of u, in pixels, is no
            more than this. Defaults to 0.01.
        median_filter (int): Side of the median filter of u: 1 (none), 3 or 5. Defaults to 5.
        backend (str): ``'auto'``, ``'cpu'`` or ``'reference'``. Defaults to ``'auto'``.

    Returns:
        Tensor: u, (N, 2, H, W): the x- and the y-component, in pixels, y down; of the images' dtype, for uint8
        float32. A pair with a pixel that is not finite gets NaN everywhere; the others do not notice it.

    Raises:
        TypeError: If an image is no uint8 or floating-point tensor, or a parameter is of the wrong type.
        ValueError: If a shape, a pixel or a parameter is out of range, or the images do not match.
        NotImplementedError: If the named backend cannot run; the message lists the reasons.

    Example:
        >>> tvl1_flow(torch.rand(2, 3, 64, 48) * 255, torch.rand(2, 3, 64, 48) * 255).shape
        torch.Size([2, 2, 64, 48])
    """
    parameters = TVL1Parameters(
        tau, lam, theta, num_scales, scale_factor, num_warps, inner_iters, outer_iters, epsilon, median_filter
    )
    return _solve(prev, next, parameters, backend)


def count_tvl1_work(
    prev: Tensor, next: Tensor, parameters: TVL1Parameters | None = None, backend: str = 'auto'
) -> list[LevelWork]:
    """What :func:`tvl1_flow` does for these images before its tolerance ends it, level by level, the coarsest first.

    Args:
        prev (Tensor): First images, as :func:`tvl1_flow` takes them.
        next (Tensor): Second images.
        parameters (TVL1Parameters, optional): The method's parameters. Defaults to the common defaults.
        backend (str): As in :func:`tvl1_flow`. Defaults to ``'auto'``.

    Returns:
        list[LevelWork]: One for each level of the pyramid.
    """
    work = []
    with torch.no_grad():
        _solve(prev, next, parameters or TVL1Parameters(), backend, work)
    return work


def _solve(
    prev: Tensor, next: Tensor, parameters: TVL1Parameters, backend: str, work: list[LevelWork] | None = None
) -> Tensor:
    """The flow of :func:`tvl1_flow`; the work of each level is appended to ``work``."""
    _check_images(prev, next)
    images = torch.cat((grey(prev), grey(next)), dim=1)  # (N, 2, H, W)
    solver = choose_backend(images, backend, BACKENDS, op='tvl1_flow', name='images')
    finite = images.detach().isfinite().all(dim=3).all(dim=2).all(dim=1)[:, None, None, None]  # (N, 1, 1, 1)
    with torch.autocast(images.device.type, enabled=False):
        u = _coarse_to_fine(torch.where(finite, images, 0), parameters, solver, work)
    u = torch.where(finite, u, float('nan'))
    return u.to(prev.dtype) if prev.is_floating_point() else u


def grey(image: Tensor) -> Tensor:
    """The grey version (N, 1, H, W) of images (N, 1 or 3, H, W) that :func:`tvl1_flow` works on, at least float32."""
    image = at_least_float32(image) if image.is_floating_point() else image.float()
    if image.shape[1] == 1:
        return image
    weights = image.new_tensor(GREY_WEIGHTS)[:, None, None]  # (3, 1, 1)
    return (weights * image).sum(dim=1, keepdim=True)


def pyramid_sizes(height: int, width: int, num_scales: int, scale_factor: float) -> list[tuple[int, int]]:
    """(H, W) of the levels, the images' own first, each ``scale_factor`` times the one before, rounded."""
    sizes = [(height, width)]
    while len(sizes) < num_scales:
        smaller = tuple(round(side * scale_factor) for side in sizes[-1])
        if min(smaller) < SHORTEST_SIDE:
            break
        sizes.append(smaller)
    return sizes


def _coarse_to_fine(
    images: Tensor, parameters: TVL1Parameters, solver: Backend, work: list[LevelWork] | None = None
) -> Tensor:
    """Flow of images (N, 2, H, W), solved from the coarsest level on: (N, 2, H, W)."""
    if images.shape[0] == 0:
        return torch.zeros_like(images)
    levels = [images]
    for size in pyramid_sizes(*images.shape[2:], parameters.num_scales, parameters.scale_factor)[1:]:
        # Cubic, as the warps are: bilinear weights would blur each level, and the warps would not.
        levels.append(F.interpolate(levels[-1], size=size, mode='bicubic', align_corners=False))
    u = torch.zeros_like(levels[-1])
    for level in reversed(levels):
        if level.shape != u.shape:
            u = _enlarge_flow(u, level.shape[2:])
        counts = torch.zeros((level.shape[0], 2), dtype=torch.int64, device=level.device)
        u = solver.solve(level, u, parameters, counts)
        if work is not None:
            work.append(LevelWork(*level.shape[2:], counts))
    return u


def _enlarge_flow(u: Tensor, size: tuple[int, int]) -> Tensor:
    """A level's flow at the size of the next, in pixels of that one."""
    ratios = u.new_tensor((size[1] / u.shape[3], size[0] / u.shape[2]))[:, None, None]  # (2, 1, 1), x first
    return F.interpolate(u, size=size, mode='bilinear', align_corners=False) * ratios


def _check_images(prev: Tensor, next: Tensor) -> None:
    for name, image in (('prev', prev), ('next', next)):
        if not isinstance(image, Tensor):
            raise TypeError(f'{name} must be a tensor, got {type(image).__name__}')
        if image.dtype != torch.uint8 and not image.is_floating_point():
            raise TypeError(f'{name} must be uint8 or floating point, got {image.dtype}')
        if image.ndim != 4 or image.shape[1] not in (1, 3) or min(image.shape[2:]) < 2:
            raise ValueError(f'{name} must have shape (N, 1 or 3, H, W) with H, W >= 2, got {tuple(image.shape)}')
    for what in ('shape', 'dtype', 'device'):
        if getattr(prev, what) != getattr(next, what):
            raise ValueError(
                f'prev and next must have the same {what}, got {getattr(prev, what)} and {getattr(next, what)}'
            )
    for name, image in (('prev', prev), ('next', next)):
        outside = ((image < 0) | (image > 255)) & image.isfinite() if image.is_floating_point() else None
        if outside is not None and outside.any():
            values = image[outside]
            raise ValueError(f'{name} must be in [0, 255], got values from {values.min():.6g} to {values.max():.6g}')
