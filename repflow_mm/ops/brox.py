"""Brox flow of image pairs: constancy of brightness and gradient under robust norms, coarse to fine."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from repflow_mm.ops.backends import Backend
from repflow_mm.ops.brox_parameters import BroxParameters
from repflow_mm.ops.brox_reference import solve_level_ref
from repflow_mm.ops.compiler import run_eagerly
from repflow_mm.ops.cpu import brox as brox_cpu
from repflow_mm.ops.cpu import levels
from repflow_mm.ops.image_pairs import enlarge_flow, pyramid_sizes, solve_pairs

# In the order in which 'auto' tries them; `solve` takes images and u, (N, 2, H, W) each, and the parameters.
BACKENDS = {
    'cpu': Backend(unsupported_reasons=levels.unsupported_reasons, solve=brox_cpu.solve_level),
    'reference': Backend(unsupported_reasons=lambda images: [], solve=solve_level_ref),
}


@run_eagerly
def brox_flow(
    prev: Tensor,
    next: Tensor,
    alpha: float = 0.197,
    gamma: float = 50.0,
    scale_factor: float = 0.8,
    inner_iterations: int = 5,
    outer_iterations: int = 150,
    solver_iterations: int = 10,
    backend: str = 'auto',
) -> Tensor:
    """Brox flow from ``prev`` to ``next``: ``next(x + u_x, y + u_y)`` looks like ``prev(x, y)``.

    Source: Brox, Bruhn, Papenberg & Weickert, "High Accuracy Optical Flow Estimation Based on a Theory for Warping",
    ECCV 2004, with the parameters and defaults of OpenCV's ``cv::cuda::BroxOpticalFlow``. The energy is

        integral of  Psi(|I2(x + u) - I1|^2 + gamma |grad I2(x + u) - grad I1|^2) + alpha Psi(|grad u|^2),

    Psi(s^2) = sqrt(s^2 + 0.001^2), for grey levels in [0, 1]. At each level of an image pyramid, the coarsest first,
    both constancy assumptions are linearised around the flow so far (the outer fixed point); there the weights Psi' of
    the norms are fixed at the present flow in turn (the inner one), and the linear equations that remain are relaxed.
    ``repflow_mm/ops/README.md`` has the equations.

    Differentiable in ``prev`` and ``next`` with ``backend='reference'`` alone, through every iteration, which keeps
    them all in memory; ``'auto'`` takes it when an image requires gradients. Inside a compiled function it runs
    eagerly.

    Args:
        prev (Tensor): First images (N, 1, H, W), grey, or (N, 3, H, W), red, green and blue, of which the grey
            version 0.299 R + 0.587 G + 0.114 B is taken; uint8 or floating point in [0, 255]; H, W >= 2.
        next (Tensor): Second images, of the same shape, dtype and device.
        alpha (float): Weight of the smoothness; more makes the flow smoother. Defaults to 0.197.
        gamma (float): Weight of the gradient's constancy against that of brightness. Defaults to 50.
        scale_factor (float): Size of a level relative to the next finer one, in (0, 1). Defaults to 0.8.
        inner_iterations (int): How often the weights of the norms are fixed anew at a level. Defaults to 5.
        outer_iterations (int): Warps, that is levels of the pyramid, at most; none is shorter than 16 pixels but the
            images themselves. Defaults to 150.
        solver_iterations (int): Sweeps of successive over-relaxation for each linear system. Defaults to 10.
        backend (str): ``'auto'``, ``'cpu'`` or ``'reference'``. Defaults to ``'auto'``.

    Returns:
        Tensor: u, (N, 2, H, W): the x- and the y-component, in pixels, y down; of the images' dtype, for uint8
        float32. A pair with a pixel that is not finite gets NaN everywhere; the others do not notice it.

    Raises:
        TypeError: If an image is no uint8 or floating-point tensor, or a parameter is of the wrong type.
        ValueError: If a shape, a pixel or a parameter is out of range, the images do not match, or the flow overflows.
        NotImplementedError: If the named backend cannot run; the message lists the reasons.

    Example:
        >>> brox_flow(torch.rand(2, 3, 64, 48) * 255, torch.rand(2, 3, 64, 48) * 255).shape
        torch.Size([2, 2, 64, 48])
    """
    parameters = BroxParameters(alpha, gamma, scale_factor, inner_iterations, outer_iterations, solver_iterations)
    return solve_pairs('brox_flow', prev, next, backend, BACKENDS, _coarse_to_fine, parameters)


def _coarse_to_fine(images: Tensor, solver: Backend, parameters: BroxParameters) -> Tensor:
    """Flow of images (N, 2, H, W), solved from the coarsest level on: (N, 2, H, W)."""
    images = images / 255
    sizes = pyramid_sizes(*images.shape[2:], parameters.outer_iterations, parameters.scale_factor)
    u = images.new_zeros((*images.shape[:2], *sizes[-1]))
    for size in reversed(sizes):
        if size != u.shape[2:]:
            u = enlarge_flow(u, size)
        # Each level from the images themselves, under a filter as wide as its pixels.
        level = F.interpolate(images, size=size, mode='bilinear', align_corners=False, antialias=True)
        u = solver.solve(level, u, parameters)
    return u
