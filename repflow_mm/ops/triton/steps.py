"""Device functions of the Triton kernels: the constants of a pair of frames, and the parts of an iteration.

Fields are tuples as in ``tiles.py``.
"""

from __future__ import annotations

import triton
import triton.language as tl

from repflow_mm.ops.triton.tiles import (
    INTERPRETED,
    above,
    below,
    left_of,
    load_frame,
    load_taps,
    neighbours,
    right_of,
)

EPSILON = tl.constexpr(1e-12)


@triton.jit
def reciprocal(value):
    """1 / value to one unit in the last place, in one instruction where Triton's own division takes eight."""
    if INTERPRETED:
        return 1.0 / value
    else:
        return tl.inline_asm_elementwise(
            'rcp.approx.ftz.f32 $0, $1;', '=f,f', [value], dtype=tl.float32, is_pure=True, pack=1
        )


@triton.jit
def quotient(a, b):
    """The quotient a / b to half a unit in the last place or little more, for what stays the same in every iteration.

    There an error adds up. Triton's division is off by up to two units, and its exact one takes ten registers more.
    """
    inverse = reciprocal(b)
    result = a * inverse
    return result + inverse * (a - b * result)


@triton.jit
def root(squared, inverse):
    """The square root of a number to half a unit in the last place, from the approximate inverse of it."""
    approximate = squared * inverse
    return approximate + 0.5 * inverse * (squared - approximate * approximate)


@triton.jit
def load_scalars(theta_ptr, lam_ptr, tau_ptr):
    """theta, lam * theta (the threshold's limit) and tau / theta (the rate of p's step)."""
    theta = tl.load(theta_ptr)
    return theta, tl.load(lam_ptr) * theta, quotient(tl.load(tau_ptr), theta)


@triton.jit
def split_plane(plane, channels, num_pairs):
    """Clip, channel and pair of a plane, which are counted in the order (N, C, T-1)."""
    row = plane // num_pairs
    return (row // channels).to(tl.int64), row % channels, plane % num_pairs


@triton.jit
def load_pair(x_ptr, image_ptr, plane, valid, channels, num_pairs, strides, y0, x0, height, width, ROWS, PHASES, LANES):
    """The constants of a plane's pair of frames in x (N, C, T, H, W): g_x, g_y, rho_c and 1 / |grad F2|^2."""
    clip, channel, pair = split_plane(plane, channels, num_pairs)
    stride_n, stride_c, stride_t, stride_h, stride_w = strides
    taps = load_taps(image_ptr + channel * 9, channels * 9, valid, 9)
    frame = x_ptr + (clip * stride_n + channel.to(tl.int64) * stride_c + pair.to(tl.int64) * stride_t)
    first = load_frame(frame, y0, x0, valid, height, width, stride_h, stride_w, ROWS, PHASES)
    second = load_frame(frame + stride_t, y0, x0, valid, height, width, stride_h, stride_w, ROWS, PHASES)
    grad_x, grad_y, rho_c = image_terms(first, second, taps, y0, x0, height, width, ROWS, PHASES, LANES)
    return grad_x, grad_y, rho_c, inverse_norm(grad_x, grad_y, ROWS * PHASES)


@triton.jit
def image_terms(first, second, taps, y0, x0, height, width, ROWS: tl.constexpr, PHASES: tl.constexpr, LANES):
    """The constants of a pair of frames: g_x, g_y and rho_c = F2 - F1; 0 outside the plane.

    Wrong at the rim of a tile that the plane goes on beyond.
    """
    left, right = neighbours(second, y0, x0, height, width, 1, ROWS, PHASES, LANES)
    above_left, below_left = neighbours(left, y0, x0, height, width, 0, ROWS, PHASES, LANES)
    above_here, below_here = neighbours(second, y0, x0, height, width, 0, ROWS, PHASES, LANES)
    above_right, below_right = neighbours(right, y0, x0, height, width, 0, ROWS, PHASES, LANES)
    window = (above_left, above_here, above_right, left, second, right, below_left, below_here, below_right)
    first_left, first_right = neighbours(first, y0, x0, height, width, 1, ROWS, PHASES, LANES)
    first_above, first_below = neighbours(first, y0, x0, height, width, 0, ROWS, PHASES, LANES)
    grad_x, grad_y, rho_c = (), (), ()
    for e in tl.static_range(ROWS * PHASES):
        y, x = y0 + e // PHASES, x0 + e % PHASES
        along_x = taps[0] * window[0][e]
        along_y = taps[9] * window[0][e]
        for k in tl.static_range(1, 9):
            along_x += taps[k] * window[k][e]
            along_y += taps[9 + k] * window[k][e]
        # NOTE: one-sided differences of the first frame at the borders, as in the reference.
        along_x = tl.where(x == width - 1, 0.5 * (first[e] - first_left[e]), along_x)
        along_x = tl.where(x == 0, 0.5 * (first_right[e] - first[e]), along_x)
        along_y = tl.where(y == height - 1, 0.5 * (first[e] - first_above[e]), along_y)
        along_y = tl.where(y == 0, 0.5 * (first_below[e] - first[e]), along_y)
        inside = (y < height) & (x < width)
        grad_x = grad_x + (tl.where(inside, along_x, 0.0),)
        grad_y = grad_y + (tl.where(inside, along_y, 0.0),)
        rho_c = rho_c + (second[e] - first[e],)
    return grad_x, grad_y, rho_c


@triton.jit
def inverse_norm(grad_x, grad_y, PIXELS: tl.constexpr):
    """1 / |grad F2|^2."""
    field = ()
    for e in tl.static_range(PIXELS):
        field = field + (quotient(1.0, grad_x[e] * grad_x[e] + (grad_y[e] * grad_y[e] + EPSILON)),)
    return field


@triton.jit
def taps_of_columns(taps, x0, width, PHASES: tl.constexpr):
    """The flow gradient's taps as a thread uses them: here and right for each of its columns, then here and below.

    The first ones are 0 at the last column, which takes the place of a mask for every pixel in every iteration.
    """
    here, right = (), ()
    for i in tl.static_range(PHASES):
        here = here + (tl.where(x0 + i < width - 1, taps[0], 0.0),)
        right = right + (tl.where(x0 + i < width - 1, taps[1], 0.0),)
    return here + right + (taps[2], taps[3])


@triton.jit
def taps_before_columns(left, here, above, below, x0, PHASES: tl.constexpr):
    """Taps that reach backwards: left for each of a thread's columns, 0 at the first column, then the others."""
    lefts = (tl.where(x0 > 0, left, 0.0),)
    for _ in tl.static_range(1, PHASES):
        lefts = lefts + (left,)
    return lefts + (here, above, below)


@triton.jit
def before_last_row(value, y0, height, j: tl.constexpr, ROWS: tl.constexpr, EXACT: tl.constexpr):
    """The value, 0 in the plane's last row and past it; where the tile is EXACT that is a strip's last row."""
    if EXACT and j < ROWS - 1:
        return value
    else:
        return tl.where(y0 + j < height - 1, value, 0.0)


@triton.jit
def forward_difference(u, taps, y0, height, ROWS, PHASES, LANES, EXACT):
    """Flow gradient of one component along x and along y, 0 at the last position."""
    along_x, along_y = (), ()
    for j in tl.static_range(ROWS):
        for i in tl.static_range(PHASES):
            here = u[j * PHASES + i]
            step_x = taps[i] * here + taps[PHASES + i] * right_of(u, j, i, PHASES, LANES)
            step_y = taps[2 * PHASES] * here + taps[2 * PHASES + 1] * below(u, j, i, ROWS, PHASES)
            along_x = along_x + (step_x,)
            along_y = along_y + (before_last_row(step_y, y0, height, j, ROWS, EXACT),)
    return along_x, along_y


@triton.jit
def divergence(p_x, p_y, taps, y0, ROWS, PHASES, LANES):
    """Divergence of one component's dual field, by taps of ``taps_before_columns``.

    p_x is 0 in the last column and p_y in the last row without a mask: the flow gradient is 0 there, so they stay
    at their start.
    """
    field = ()
    for j in tl.static_range(ROWS):
        for i in tl.static_range(PHASES):
            total = taps[i] * left_of(p_x, j, i, PHASES, LANES) + taps[PHASES] * p_x[j * PHASES + i]
            total += taps[PHASES + 1] * above(p_y, y0, j, i, ROWS, PHASES)
            total += taps[PHASES + 2] * p_y[j * PHASES + i]
            field = field + (total,)
    return field


@triton.jit
def threshold(ratio, limit):
    """Clamp to [-limit, limit]; NaN stays NaN."""
    raised = tl.maximum(ratio, -limit, propagate_nan=tl.PropagateNan.ALL)
    return tl.minimum(raised, limit, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def descend(u_x, u_y, div_x, div_y, grad_x, grad_y, rho_c, inverse, limit, PIXELS: tl.constexpr):
    """The step of the flow: both components after the data term and the divergence, which comes times theta."""
    next_x, next_y = (), ()
    for e in tl.static_range(PIXELS):
        rho = rho_c[e] + grad_x[e] * u_x[e] + grad_y[e] * u_y[e]
        step = threshold(rho * -inverse[e], limit)
        next_x = next_x + (u_x[e] + step * grad_x[e] + div_x[e],)
        next_y = next_y + (u_y[e] + step * grad_y[e] + div_y[e],)
    return next_x, next_y


@triton.jit
def ascend(p_x, p_y, along_x, along_y, rate, PIXELS: tl.constexpr, REFINED: tl.constexpr):
    """The step of one component's dual field.

    REFINED computes the norm and the quotient to half a unit in the last place, as the adjoint does: the gradients of
    parameters are sums of large terms that cancel, in which errors to one side would show.
    """
    next_x, next_y = (), ()
    for e in tl.static_range(PIXELS):
        squared = along_x[e] * along_x[e] + (along_y[e] * along_y[e] + EPSILON)
        if REFINED:
            shrink = quotient(1.0, rate * root(squared, tl.rsqrt(squared)) + 1.0)
        else:
            shrink = reciprocal(rate * tl.sqrt(squared) + 1.0)
        next_x = next_x + ((p_x[e] + rate * along_x[e]) * shrink,)
        next_y = next_y + ((p_y[e] + rate * along_y[e]) * shrink,)
    return next_x, next_y
