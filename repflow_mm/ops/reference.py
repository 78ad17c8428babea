"""The specification of the representation flow solver, in plain PyTorch."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from repflow_mm.ops.arguments import at_least_float32, check_arguments
from repflow_mm.ops.stencils import (
    default_image_kernel,
    default_taps,
    divergence,
    flow_gradient,
    image_gradient,
)

EPSILON = 1e-12


def rep_flow_ref(
    x: Tensor,
    theta: float | Tensor,
    lam: float | Tensor,
    tau: float | Tensor,
    image_kernel: Tensor | None = None,
    flow_kernel: Tensor | None = None,
    div_kernel: Tensor | None = None,
    num_iters: int = 20,
) -> Tensor:
    """Representation flow of every pair of neighbouring frames, every channel solved on its own.

    Source: Piergiovanni & Ryoo, "Representation Flow for Action Recognition", CVPR 2019, Algorithm 1, with the
    stencils and border rules of the authors' released layer. Autograd differentiates it in every tensor argument.

    Args:
        x (Tensor): Features (N, C, T, H, W) of any floating dtype, half precision being solved in float32;
            T, H, W >= 2.
        theta (float | Tensor): Tightness of the coupling of v and u, > 0; the paper starts at 0.3.
        lam (float | Tensor): Weight of the data term; the paper starts at 0.15.
        tau (float | Tensor): Step of the dual ascent, > 0; the paper starts at 0.25.
        image_kernel (Tensor, optional): (2, C, 3, 3), correlation taps of the image gradient, ``[0]`` for x and
            ``[1]`` for y. Defaults to the central difference.
        flow_kernel (Tensor, optional): (2, C, 2), taps of the flow gradient. Defaults to (-1, 1).
        div_kernel (Tensor, optional): (2, C, 2), taps of the divergence. Defaults to (-1, 1).
        num_iters (int): Number of iterations, >= 0. Defaults to 20.

    Returns:
        Tensor: u, (N, 2C, T-1, H, W): the C x-components, then the C y-components, in feature-grid pixels per
        frame step; of ``x``'s dtype.

    Raises:
        TypeError: If a tensor is not floating point or a scalar is no number.
        ValueError: If a shape, ``num_iters``, or a theta or tau that is a number, is out of range.

    Example:
        >>> rep_flow_ref(torch.rand(1, 8, 4, 14, 14) * 255, 0.3, 0.15, 0.25, num_iters=20).shape
        torch.Size([1, 16, 3, 14, 14])
    """
    check_arguments(x, theta, lam, tau, image_kernel, flow_kernel, div_kernel, num_iters)
    n, c, t, h, w = x.shape
    if c == 0:  # torch has no convolution without channels
        return x[:, :, 1:].clone()  # (N, 0, T-1, H, W)
    x, dtype = at_least_float32(x), x.dtype
    theta, lam, tau = scalars_like(x, theta, lam, tau)
    image_kernel, flow_kernel, div_kernel = kernels_or_defaults(x, image_kernel, flow_kernel, div_kernel)
    frames = x.transpose(1, 2)  # (N, C, T, H, W) -> (N, T, C, H, W)
    first = frames[:, :-1].reshape(n * (t - 1), c, h, w)  # (N, T-1, C, H, W) -> (N*(T-1), C, H, W)
    second = frames[:, 1:].reshape(n * (t - 1), c, h, w)
    u_x, u_y = _solve_pairs(first, second, theta, lam, tau, image_kernel, flow_kernel, div_kernel, num_iters)
    u = torch.cat((u_x, u_y), dim=1)  # (N*(T-1), 2C, H, W)
    return u.reshape(n, t - 1, 2 * c, h, w).transpose(1, 2).to(dtype)  # -> (N, 2C, T-1, H, W)


def scalars_like(x: Tensor, *scalars: float | Tensor) -> tuple[Tensor, ...]:
    """The scalars as tensors () of ``x``'s dtype and on its device."""
    tensors = (torch.as_tensor(scalar, dtype=x.dtype, device=x.device) for scalar in scalars)
    return tuple(tensor.reshape(()) if tensor.ndim else tensor for tensor in tensors)


def kernels_or_defaults(
    x: Tensor, image_kernel: Tensor | None, flow_kernel: Tensor | None, div_kernel: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """The three kernels, the default taps in place of None, in ``x``'s dtype and on its device."""
    like = dict(dtype=x.dtype, device=x.device)
    channels = x.shape[1]
    if image_kernel is None:
        image_kernel = default_image_kernel(channels, **like)
    flow_kernel = default_taps(channels, **like) if flow_kernel is None else flow_kernel
    div_kernel = default_taps(channels, **like) if div_kernel is None else div_kernel
    return image_kernel.to(**like), flow_kernel.to(**like), div_kernel.to(**like)


class Linearisation(NamedTuple):
    """Brightness constancy ``rho = rho_c + grad_x * u_x + grad_y * u_y`` of planes (N, C, H, W), linear in u."""

    grad_x: Tensor
    grad_y: Tensor
    rho_c: Tensor
    squared_norm: Tensor

    @classmethod
    def of(cls, grad_x: Tensor, grad_y: Tensor, rho_c: Tensor) -> Linearisation:
        """With the squared norm of the gradient, which no iteration changes."""
        return cls(grad_x, grad_y, rho_c, grad_x**2 + grad_y**2 + EPSILON)


def iterate(u: tuple, p: tuple, data: Linearisation, theta, lam, tau, flow_kernel, div_kernel) -> tuple[tuple, tuple]:
    """One iteration: u = (u_x, u_y) and p = (p_xx, p_xy, p_yx, p_yy), planes (N, C, H, W), to the new u and p."""
    (u_x, u_y), (p_xx, p_xy, p_yx, p_yy), limit = u, p, lam * theta
    rho = data.rho_c + data.grad_x * u_x + data.grad_y * u_y
    step = torch.clamp(-rho / data.squared_norm, -limit, limit)
    u_x = u_x + step * data.grad_x + theta * divergence(p_xx, p_xy, div_kernel)
    u_y = u_y + step * data.grad_y + theta * divergence(p_yx, p_yy, div_kernel)
    p_x = _ascend(p_xx, p_xy, u_x, tau / theta, flow_kernel)
    p_y = _ascend(p_yx, p_yy, u_y, tau / theta, flow_kernel)
    return (u_x, u_y), (*p_x, *p_y)


def _solve_pairs(first, second, theta, lam, tau, image_kernel, flow_kernel, div_kernel, num_iters):
    """Solve pairs of planes (N, C, H, W); returns u_x and u_y, each (N, C, H, W)."""
    u, p = (torch.zeros_like(second),) * 2, (torch.zeros_like(second),) * 4
    data = Linearisation.of(*image_gradient(first, second, image_kernel), second - first)
    for _ in range(num_iters):
        u, p = iterate(u, p, data, theta, lam, tau, flow_kernel, div_kernel)
    return u


def _ascend(p_x: Tensor, p_y: Tensor, u: Tensor, rate: Tensor, flow_kernel: Tensor) -> tuple[Tensor, Tensor]:
    """One step of the dual field of one flow component, all planes (N, C, H, W)."""
    along_x, along_y = flow_gradient(u, flow_kernel)
    shrink = 1 + rate * torch.sqrt(along_x**2 + along_y**2 + EPSILON)
    return (p_x + rate * along_x) / shrink, (p_y + rate * along_y) / shrink
