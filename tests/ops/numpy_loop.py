"""The solver as loops over pixels in float64, written from the equations alone."""

import numpy as np

CENTRAL = np.array([[[0, 0, 0], [-0.5, 0, 0.5], [0, 0, 0]], [[0, -0.5, 0], [0, 0, 0], [0, 0.5, 0]]])
DIFFERENCE = np.array([[-1.0, 1.0], [-1.0, 1.0]])


def numpy_rep_flow(x, theta, lam, tau, image_kernel=None, flow_kernel=None, div_kernel=None, num_iters=20):
    """(N, C, T, H, W) -> (N, 2C, T-1, H, W); kernels as in ``rep_flow_ref``, arrays of float64."""
    n, c, t, h, w = x.shape
    flow = np.zeros((n, 2 * c, t - 1, h, w))
    for clip in range(n):
        for channel in range(c):
            taps = (
                CENTRAL if image_kernel is None else image_kernel[:, channel],
                DIFFERENCE if flow_kernel is None else flow_kernel[:, channel],
                DIFFERENCE if div_kernel is None else div_kernel[:, channel],
            )
            for frame in range(t - 1):
                first, second = x[clip, channel, frame], x[clip, channel, frame + 1]
                u_x, u_y = _solve_plane(first, second, theta, lam, tau, num_iters, *taps)
                flow[clip, channel, frame], flow[clip, c + channel, frame] = u_x, u_y
    return flow


def _solve_plane(first, second, theta, lam, tau, num_iters, image_taps, flow_taps, div_taps):
    h, w = second.shape
    pixels = [(i, j) for i in range(h) for j in range(w)]
    grad = [_image_gradient(first, second, image_taps, axis) for axis in (0, 1)]
    u = [np.zeros((h, w)), np.zeros((h, w))]
    p = [[np.zeros((h, w)), np.zeros((h, w))] for _ in u]
    for _ in range(num_iters):
        for i, j in pixels:
            g_x, g_y = grad[0][i, j], grad[1][i, j]
            rho = second[i, j] - first[i, j] + g_x * u[0][i, j] + g_y * u[1][i, j]
            norm = g_x * g_x + g_y * g_y
            if rho < -lam * theta * norm:
                step = lam * theta
            elif rho > lam * theta * norm:
                step = -lam * theta
            else:
                step = -rho / (norm + 1e-12)
            # Element (i, j) of u is read by no other pixel in this pass, so it can be replaced at once.
            u[0][i, j] += step * g_x + theta * _divergence(*p[0], div_taps, i, j)
            u[1][i, j] += step * g_y + theta * _divergence(*p[1], div_taps, i, j)
        for plane, (p_x, p_y) in zip(u, p):
            for i, j in pixels:
                d_x = flow_taps[0, 0] * plane[i, j] + flow_taps[0, 1] * plane[i, j + 1] if j < w - 1 else 0.0
                d_y = flow_taps[1, 0] * plane[i, j] + flow_taps[1, 1] * plane[i + 1, j] if i < h - 1 else 0.0
                shrink = 1 + tau / theta * np.sqrt(d_x * d_x + d_y * d_y + 1e-12)
                p_x[i, j] = (p_x[i, j] + tau / theta * d_x) / shrink
                p_y[i, j] = (p_y[i, j] + tau / theta * d_y) / shrink
    return u


def _image_gradient(first, second, taps, axis):
    h, w = second.shape
    grad = np.zeros((h, w))
    for i in range(h):
        for j in range(w):
            at, last = (j, w - 1) if axis == 0 else (i, h - 1)
            if at in (0, last):
                line = first[i] if axis == 0 else first[:, j]
                grad[i, j] = (line[1] - line[0]) / 2 if at == 0 else (line[-1] - line[-2]) / 2
                continue
            for a in range(3):
                for b in range(3):
                    if 0 <= i + a - 1 < h and 0 <= j + b - 1 < w:
                        grad[i, j] += taps[axis, a, b] * second[i + a - 1, j + b - 1]
    return grad


def _divergence(p_x, p_y, taps, i, j):
    h, w = p_x.shape
    value = 0.0
    if j > 0:
        value += taps[0, 0] * p_x[i, j - 1]
    if j < w - 1:
        value += taps[0, 1] * p_x[i, j]
    if i > 0:
        value += taps[1, 0] * p_y[i - 1, j]
    if i < h - 1:
        value += taps[1, 1] * p_y[i, j]
    return value
