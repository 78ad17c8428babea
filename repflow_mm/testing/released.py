"""The baseline: the operations of the authors' released layer, in their order."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

EPSILON = 1e-12


def released_rep_flow(
    x: Tensor,
    theta: Tensor,
    lam: Tensor,
    tau: Tensor,
    image_kernel: Tensor,
    flow_kernel: Tensor,
    div_kernel: Tensor,
    num_iters: int,
) -> Tensor:
    """What :func:`repflow_mm.ops.rep_flow_ref` computes, with the operations of the released layer.

    The layer of February 2019 pads, convolves with one group a channel, and writes the three cases of the threshold
    through boolean masks. It serves as the row that speed and memory are compared with; its arguments are those of
    ``rep_flow_ref``, all of them tensors but ``num_iters``.

    Returns:
        Tensor: (N, 2C, T-1, H, W), in feature-grid pixels per frame step.
    """
    n, c, t, h, w = x.shape
    frames = x.transpose(1, 2)  # (N, C, T, H, W) -> (N, T, C, H, W)
    first = frames[:, :-1].reshape(-1, c, h, w)  # (N*(T-1), C, H, W)
    second = frames[:, 1:].reshape(-1, c, h, w)
    u_x, u_y, p_xx, p_xy, p_yx, p_yy = (torch.zeros_like(second) for _ in range(6))
    grad_x, grad_y = _image_gradient(first, second, image_kernel)
    squared_norm = grad_x**2 + grad_y**2 + EPSILON
    rho_c = second - grad_x * u_x - grad_y * u_y - first
    for _ in range(num_iters):
        rho = rho_c + grad_x * u_x + grad_y * u_y + EPSILON
        v_x, v_y = _threshold(rho, grad_x, grad_y, squared_norm, lam * theta)
        u_x = v_x + u_x + theta * _divergence(p_xx, p_xy, div_kernel)
        u_y = v_y + u_y + theta * _divergence(p_yx, p_yy, div_kernel)
        p_xx, p_xy = _ascend(p_xx, p_xy, *_flow_gradient(u_x, flow_kernel), tau / theta)
        p_yx, p_yy = _ascend(p_yx, p_yy, *_flow_gradient(u_y, flow_kernel), tau / theta)
    u = torch.cat((u_x, u_y), dim=1)  # (N*(T-1), 2C, H, W)
    return u.reshape(n, t - 1, 2 * c, h, w).transpose(1, 2)  # -> (N, 2C, T-1, H, W)


def _image_gradient(first: Tensor, second: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor]:
    """g_x and g_y by one convolution each, then the borders written over it."""
    channels = second.shape[1]
    grad_x = F.conv2d(F.pad(second, (1, 1, 1, 1)), kernel[0, :, None], groups=channels)
    grad_x[..., 0] = 0.5 * (first[..., 1] - first[..., 0])
    grad_x[..., -1] = 0.5 * (first[..., -1] - first[..., -2])
    grad_y = F.conv2d(F.pad(second, (1, 1, 1, 1)), kernel[1, :, None], groups=channels)
    grad_y[..., 0, :] = 0.5 * (first[..., 1, :] - first[..., 0, :])
    grad_y[..., -1, :] = 0.5 * (first[..., -1, :] - first[..., -2, :])
    return grad_x, grad_y


def _threshold(rho: Tensor, grad_x: Tensor, grad_y: Tensor, squared_norm: Tensor, limit: Tensor):
    """The step of v along the gradient, case by case."""
    below = (rho < -limit * squared_norm).detach()
    above = (rho > limit * squared_norm).detach()
    between = (~below & ~above & (squared_norm > EPSILON)).detach()
    steps = []
    for grad in (grad_x, grad_y):
        step = torch.zeros_like(rho)
        step[below] = (limit * grad)[below]
        step[above] = (-limit * grad)[above]
        step[between] = ((-rho / squared_norm) * grad)[between]
        steps.append(step)
    return steps


def _flow_gradient(u: Tensor, taps: Tensor) -> tuple[Tensor, Tensor]:
    channels = u.shape[1]
    along_x = F.conv2d(F.pad(u, (0, 1, 0, 0)), taps[0, :, None, None], groups=channels)
    along_x[..., -1] = 0
    along_y = F.conv2d(F.pad(u, (0, 0, 0, 1)), taps[1, :, None, :, None], groups=channels)
    along_y[..., -1, :] = 0
    return along_x, along_y


def _divergence(p_x: Tensor, p_y: Tensor, taps: Tensor) -> Tensor:
    channels = p_x.shape[1]
    shifted_x = F.pad(p_x[..., :-1], (1, 0, 0, 0))
    shifted_y = F.pad(p_y[..., :-1, :], (0, 0, 1, 0))
    along_x = F.conv2d(F.pad(shifted_x, (0, 1, 0, 0)), taps[0, :, None, None], groups=channels)
    along_y = F.conv2d(F.pad(shifted_y, (0, 0, 0, 1)), taps[1, :, None, :, None], groups=channels)
    return along_x + along_y


def _ascend(p_x: Tensor, p_y: Tensor, along_x: Tensor, along_y: Tensor, rate: Tensor) -> tuple[Tensor, Tensor]:
    shrink = 1.0 + rate * torch.sqrt(along_x**2 + along_y**2 + EPSILON)
    return (p_x + rate * along_x) / shrink, (p_y + rate * along_y) / shrink
