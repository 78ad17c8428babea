"""Classical TV-L1 optical flow of image pairs, coarse to fine, over the solver's backends."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from repflow_mm.ops.backends import Backend
from repflow_mm.ops.compiler import run_eagerly
from repflow_mm.ops.cpu import levels
from repflow_mm.ops.cpu import tvl1 as tvl1_cpu
from repflow_mm.ops.image_pairs import enlarge_flow, pyramid_sizes, solve_pairs
from repflow_mm.ops.tvl1_parameters import TVL1Parameters
from repflow_mm.ops.tvl1_reference import solve_level_ref

# In the order in which 'auto' tries them; `solve` takes images and u, (N, 2, H, W) each, and the parameters.
BACKENDS = {
    'cpu': Backend(unsupported_reasons=levels.unsupported_reasons, solve=tvl1_cpu.solve_level),
    'reference': Backend(unsupported_reasons=lambda images: [], solve=solve_level_ref),
}


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
        ValueError: If a shape, a pixel or a parameter is out of range, the images do not match, or the flow overflows.
        NotImplementedError: If the named backend cannot run; the message lists the reasons.

    Example:
        >>> tvl1_flow(torch.rand(2, 3, 64, 48) * 255, torch.rand(2, 3, 64, 48) * 255).shape
        torch.Size([2, 2, 64, 48])
    """
    parameters = TVL1Parameters(
        tau, lam, theta, num_scales, scale_factor, num_warps, inner_iters, outer_iters, epsilon, median_filter
    )
    return solve_pairs('tvl1_flow', prev, next, backend, BACKENDS, _coarse_to_fine, parameters)


def _coarse_to_fine(images: Tensor, solver: Backend, parameters: TVL1Parameters) -> Tensor:
    """Flow of images (N, 2, H, W), solved from the coarsest level on: (N, 2, H, W)."""
    levels = [images]
    for size in pyramid_sizes(*images.shape[2:], parameters.num_scales, parameters.scale_factor)[1:]:
        # Cubic, as the warps are: bilinear weights would blur each level, and the warps would not.
        levels.append(F.interpolate(levels[-1], size=size, mode='bicubic', align_corners=False))
    u = torch.zeros_like(levels[-1])
    for level in reversed(levels):
        if level.shape != u.shape:
            u = enlarge_flow(u, level.shape[2:])
        u = solver.solve(level, u, parameters)
    return u
