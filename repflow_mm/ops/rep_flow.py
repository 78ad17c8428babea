"""The public flow op."""

from __future__ import annotations

import contextlib

import torch
from torch import Tensor

from repflow_mm.ops.arguments import at_least_float32, check_arguments
from repflow_mm.ops.backends import choose_backend
from repflow_mm.ops.reference import kernels_or_defaults, scalars_like


def rep_flow(
    x: Tensor,
    theta: float | Tensor,
    lam: float | Tensor,
    tau: float | Tensor,
    image_kernel: Tensor | None = None,
    flow_kernel: Tensor | None = None,
    div_kernel: Tensor | None = None,
    num_iters: int = 20,
    backend: str = 'auto',
) -> Tensor:
    """Representation flow of every pair of neighbouring frames, every channel solved on its own.

    Computes what :func:`repflow_mm.ops.rep_flow_ref` specifies (Piergiovanni & Ryoo, CVPR 2019, Algorithm 1),
    differentiably in every tensor argument, with the fastest backend that can run. Half-precision features are
    solved in float32 and the result is rounded to their dtype; under autocast the result is float32.

    Args:
        x (Tensor): Features (N, C, T, H, W), floating point; T, H, W >= 2.
        theta (float | Tensor): Tightness of the coupling of v and u, > 0; the paper starts at 0.3.
        lam (float | Tensor): Weight of the data term; the paper starts at 0.15.
        tau (float | Tensor): Step of the dual ascent, > 0; the paper starts at 0.25.
        image_kernel (Tensor, optional): (2, C, 3, 3), ``[0]`` for x. Defaults to the central difference.
        flow_kernel (Tensor, optional): (2, C, 2), ``[0]`` along x. Defaults to (-1, 1).
        div_kernel (Tensor, optional): (2, C, 2), ``[0]`` along x. Defaults to (-1, 1).
        num_iters (int): Number of iterations, from 0 to 10,000. Defaults to 20.
        backend (str): ``'auto'`` or one of ``BACKENDS``. Defaults to ``'auto'``.

    Returns:
        Tensor: u, (N, 2C, T-1, H, W): the C x-components, then the C y-components, in feature-grid pixels per
        frame step.

    Raises:
        TypeError: If a tensor is not dense and floating point, of 16 bits or more, or a scalar is no number.
        ValueError: If a shape, ``num_iters``, ``backend``, or a theta or tau that is a number, is not allowed.
        NotImplementedError: If the named backend cannot run on ``x``; the message lists the reasons.

    Example:
        >>> rep_flow(torch.rand(1, 8, 4, 14, 14) * 255, 0.3, 0.15, 0.25, num_iters=20).shape
        torch.Size([1, 16, 3, 14, 14])
    """
    check_arguments(x, theta, lam, tau, image_kernel, flow_kernel, div_kernel, num_iters)
    has_autocast = torch.amp.is_autocast_available(x.device.type)  # 'meta', for one, has none
    autocast = has_autocast and torch.is_autocast_enabled(x.device.type)
    with torch.autocast(x.device.type, enabled=False) if autocast else contextlib.nullcontext():
        features = at_least_float32(x)
        scalars = scalars_like(features, theta, lam, tau)
        kernels = kernels_or_defaults(features, image_kernel, flow_kernel, div_kernel)
        u = choose_backend(features, backend).solve(features, *scalars, *kernels, num_iters)
    return u if autocast else u.to(x.dtype)
