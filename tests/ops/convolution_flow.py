"""The solver in the manner of the authors' first layer: grouped convolutions on padded planes and boolean masks."""

import torch
import torch.nn.functional as F


def convolution_rep_flow(x, theta, lam, tau, num_iters, image_kernel, flow_kernel, div_kernel):
    """(N, C, T, H, W) -> (N, 2C, T-1, H, W); scalars are floats, kernels as in ``rep_flow_ref``."""
    n, c, t, _, _ = x.shape
    pairs = [(x[i, :, j], x[i, :, j + 1]) for i in range(n) for j in range(t - 1)]
    first, second = (torch.stack(frames) for frames in zip(*pairs))  # each (N*(T-1), C, H, W)
    grad_x, grad_y = _gradient_of_image(first, second, image_kernel)
    squared = grad_x.square() + grad_y.square() + 1e-12
    u_x, u_y = torch.zeros_like(second), torch.zeros_like(second)
    p_x, p_y = torch.zeros_like(torch.cat((u_x, u_y), 1)), torch.zeros_like(torch.cat((u_x, u_y), 1))
    for _ in range(num_iters):
        rho = second - first + grad_x * u_x + grad_y * u_y
        below, above = rho < -lam * theta * squared, rho > lam * theta * squared
        between = ~(below | above) & (squared > 1e-11)
        step = torch.zeros_like(rho)
        step[below] = lam * theta
        step[above] = -lam * theta
        step[between] = (-rho / squared)[between]
        smooth_x, smooth_y = _divergence(p_x, p_y, div_kernel).chunk(2, dim=1)
        u_x = u_x + step * grad_x + theta * smooth_x
        u_y = u_y + step * grad_y + theta * smooth_y
        along_x, along_y = _gradient_of_flow(torch.cat((u_x, u_y), 1), flow_kernel)  # each (N*(T-1), 2C, H, W)
        shrink = 1 + tau / theta * (along_x.square() + along_y.square() + 1e-12).sqrt()
        p_x, p_y = (p_x + tau / theta * along_x) / shrink, (p_y + tau / theta * along_y) / shrink
    u = torch.cat((u_x, u_y), 1)
    return torch.stack([torch.stack(list(clip), 1) for clip in u.split(t - 1)])


def _gradient_of_image(first, second, kernel):
    grad_x, grad_y = (F.conv2d(F.pad(second, (1, 1, 1, 1)), taps.unsqueeze(1), groups=len(taps)) for taps in kernel)
    for grad, frame in ((grad_x, first), (grad_y.mT, first.mT)):
        grad[..., 0] = 0.5 * (frame[..., 1] - frame[..., 0])
        grad[..., -1] = 0.5 * (frame[..., -1] - frame[..., -2])
    return grad_x, grad_y


def _gradient_of_flow(u, kernel):
    """u is (N, 2C, H, W), its x-components first; both have the taps of their channel."""
    taps_x, taps_y = (torch.cat((taps, taps)) for taps in kernel)  # each (2C, 2)
    along_x = F.conv2d(F.pad(u, (0, 1, 0, 0)), taps_x[:, None, None, :], groups=len(taps_x))
    along_y = F.conv2d(F.pad(u, (0, 0, 0, 1)), taps_y[:, None, :, None], groups=len(taps_y))
    along_x[..., -1], along_y[..., -1, :] = 0, 0
    return along_x, along_y


def _divergence(p_x, p_y, kernel):
    taps_x, taps_y = (torch.cat((taps, taps)) for taps in kernel)
    p_x, p_y = F.pad(p_x[..., :-1], (1, 1, 0, 0)), F.pad(p_y[..., :-1, :], (0, 0, 1, 1))
    along_x = F.conv2d(p_x, taps_x[:, None, None, :], groups=len(taps_x))
    return along_x + F.conv2d(p_y, taps_y[:, None, :, None], groups=len(taps_y))
