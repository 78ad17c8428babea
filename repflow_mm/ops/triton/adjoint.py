"""Device functions of the Triton backward pass: the adjoints of the parts of an iteration, and the sums.

A name with ``bar`` is the gradient of what it is named after. Fields are tuples as in ``tiles.py``.
"""

from __future__ import annotations

import triton
import triton.language as tl

from repflow_mm.ops.triton.steps import EPSILON, before_last_row, forward_difference, quotient, root, threshold
from repflow_mm.ops.triton.tiles import WARP, above, below, left_of, pixel_mask, right_of


@triton.jit
def zero_sums(COUNT: tl.constexpr, STRIPS: tl.constexpr):
    """Each thread's sums of a kernel argument's gradient."""
    sums = ()
    for _ in tl.static_range(COUNT):
        sums = sums + (tl.zeros((STRIPS, WARP), tl.float32),)
    return sums


@triton.jit
def owned_only(value, y, x, owned, HALO: tl.constexpr):
    """The value, 0 where another tile owns the pixel: only a tile with a halo has such pixels."""
    if HALO > 0:
        return tl.where(pixel_mask(y, x, owned), value, 0.0)
    else:
        return value


@triton.jit
def difference_adjoint(total, bar_x, bar_y, taps, y0, ROWS: tl.constexpr, PHASES: tl.constexpr, LANES: tl.constexpr):
    """``total`` with the adjoint of ``forward_difference`` added, of gradients that are 0 at the last position.

    The taps are those of ``taps_before_columns``: left, here, above, here.
    """
    field = ()
    for j in tl.static_range(ROWS):
        for i in tl.static_range(PHASES):
            value = total[j * PHASES + i] + taps[PHASES] * bar_x[j * PHASES + i]
            value += taps[i] * left_of(bar_x, j, i, PHASES, LANES)
            value += taps[PHASES + 2] * bar_y[j * PHASES + i]
            value += taps[PHASES + 1] * above(bar_y, y0, j, i, ROWS, PHASES)
            field = field + (value,)
    return field


@triton.jit
def divergence_adjoint(total_x, total_y, bar, taps, y0, height, ROWS: tl.constexpr, PHASES, LANES, EXACT):
    """``total_x`` and ``total_y``, the gradients of p_x and of p_y, with the adjoint of ``divergence`` added.

    It is 0 at the last position. The taps are those of ``taps_of_columns``: here, right, then here, below.
    """
    bar_x, bar_y = (), ()
    for j in tl.static_range(ROWS):
        for i in tl.static_range(PHASES):
            here = bar[j * PHASES + i]
            along_x = total_x[j * PHASES + i] + taps[i] * here
            along_x += taps[PHASES + i] * right_of(bar, j, i, PHASES, LANES)
            along_y = taps[2 * PHASES] * here + taps[2 * PHASES + 1] * below(bar, j, i, ROWS, PHASES)
            bar_x = bar_x + (along_x,)
            bar_y = bar_y + (total_y[j * PHASES + i] + before_last_row(along_y, y0, height, j, ROWS, EXACT),)
    return bar_x, bar_y


@triton.jit
def ascent_adjoint(p_x, p_y, bar_x, bar_y, along_x, along_y, rate, total, place, ROWS, PHASES, HALO, EXACT):
    """Adjoint of one component's dual step.

    ``bar_x`` and ``bar_y`` are the gradients of the new p, ``along_x`` and ``along_y`` the flow gradient, ``total``
    the sum that rate's gradient is added to. Returns the gradients of the old p, those of the flow gradient over
    rate, and the sum.
    """
    y0, x0, height, width, owned = place
    p_bar_x, p_bar_y, along_bar_x, along_bar_y = (), (), (), ()
    for e in tl.static_range(ROWS * PHASES):
        y, x = y0 + e // PHASES, x0 + e % PHASES
        squared = along_x[e] * along_x[e] + (along_y[e] * along_y[e] + EPSILON)
        inverse = tl.rsqrt(squared)
        # Not the device's approximations, which may err to one side: over all pixels that would add up.
        norm = root(squared, inverse)
        shrink = quotient(1.0, rate * norm + 1.0)
        old_x, old_y = bar_x[e] * shrink, bar_y[e] * shrink
        new_p_x, new_p_y = (p_x[e] + rate * along_x[e]) * shrink, (p_y[e] + rate * along_y[e]) * shrink
        shrink_bar = -(old_x * new_p_x + old_y * new_p_y)
        along = shrink_bar * inverse
        p_bar_x = p_bar_x + (old_x,)
        p_bar_y = p_bar_y + (old_y,)
        along_bar_x = along_bar_x + (tl.where(x < width - 1, old_x + along * along_x[e], 0.0),)
        at_y = before_last_row(old_y + along * along_y[e], y0, height, e // PHASES, ROWS, EXACT)
        along_bar_y = along_bar_y + (at_y,)
        # old * along + shrink_bar * norm, without the difference of two large sums.
        rest = old_x * (along_x[e] - norm * p_x[e]) + old_y * (along_y[e] - norm * p_y[e])
        total += owned_only(shrink * rest, y, x, owned, HALO)
    return p_bar_x, p_bar_y, along_bar_x, along_bar_y, total


@triton.jit
def add_flow_terms(sums, u, bar_x, bar_y, y0, x0, owned, ROWS: tl.constexpr, PHASES: tl.constexpr, LANES, HALO):
    """Add one component's terms of the gradients of the flow gradient's taps: x0, x1, y0, y1."""
    x_0, x_1, y_0, y_1 = sums
    for j in tl.static_range(ROWS):
        for i in tl.static_range(PHASES):
            y, x = y0 + j, x0 + i
            at_x = owned_only(bar_x[j * PHASES + i], y, x, owned, HALO)
            at_y = owned_only(bar_y[j * PHASES + i], y, x, owned, HALO)
            x_0 += at_x * u[j * PHASES + i]
            x_1 += at_x * right_of(u, j, i, PHASES, LANES)
            y_0 += at_y * u[j * PHASES + i]
            y_1 += at_y * below(u, j, i, ROWS, PHASES)
    return x_0, x_1, y_0, y_1


@triton.jit
def dual_step_adjoint(u, p, bars, sums, flow, place, ROWS, PHASES, LANES, HALO, EXACT):
    """Adjoint of the dual step of one component of u, together with that of the flow gradient that the step uses.

    - ``u``: this component after the iteration;
    - ``p``: its p_x and p_y before the iteration;
    - ``bars``: the gradient of u as far as it is known, and the gradients of p_x and p_y after the iteration;
    - ``sums``: the sums for the gradients of the rate and of the flow gradient's taps;
    - ``flow``: the rate, the taps of the flow gradient, and the taps of its adjoint;
    - ``place``: first row and column of a thread, height and width of the plane, and what the tile owns.

    Returns the gradient of u with this step's part added, the gradients of the old p_x and p_y, and the sums.
    """
    p_x, p_y = p
    bar_u, bar_x, bar_y = bars
    rate, taps, adjoint_taps = flow
    y0, x0, height, width, owned = place
    along_x, along_y = forward_difference(u, taps, y0, height, ROWS, PHASES, LANES, EXACT)
    bar_x, bar_y, along_x, along_y, rate_sum = ascent_adjoint(
        p_x, p_y, bar_x, bar_y, along_x, along_y, rate, sums[0], place, ROWS, PHASES, HALO, EXACT
    )
    tap_sums = (sums[1], sums[2], sums[3], sums[4])
    tap_sums = add_flow_terms(tap_sums, u, along_x, along_y, y0, x0, owned, ROWS, PHASES, LANES, HALO)
    bar_u = difference_adjoint(bar_u, along_x, along_y, adjoint_taps, y0, ROWS, PHASES, LANES)
    return bar_u, bar_x, bar_y, (rate_sum,) + tap_sums


@triton.jit
def add_divergence_terms(sums, bar, p_x, p_y, y0, x0, owned, ROWS: tl.constexpr, PHASES: tl.constexpr, LANES, HALO):
    """Add one component's terms of the gradients of the divergence's taps, but for the factor theta."""
    x_0, x_1, y_0, y_1 = sums
    for j in tl.static_range(ROWS):
        for i in tl.static_range(PHASES):
            here = owned_only(bar[j * PHASES + i], y0 + j, x0 + i, owned, HALO)
            left = left_of(p_x, j, i, PHASES, LANES)
            if i == 0:
                left = tl.where(x0 > 0, left, 0.0)
            x_0 += here * left
            x_1 += here * p_x[j * PHASES + i]
            y_0 += here * above(p_y, y0, j, i, ROWS, PHASES)
            y_1 += here * p_y[j * PHASES + i]
    return x_0, x_1, y_0, y_1


@triton.jit
def add_products(total, a, b, y0, x0, owned, PIXELS: tl.constexpr, PHASES: tl.constexpr, HALO: tl.constexpr):
    """Add the products of two fields to a sum."""
    for e in tl.static_range(PIXELS):
        total += owned_only(a[e], y0 + e // PHASES, x0 + e % PHASES, owned, HALO) * b[e]
    return total


@triton.jit
def descent_adjoint(
    u_x, u_y, bar_x, bar_y, constants, limit, sums, total, y0, x0, owned, PIXELS: tl.constexpr, PHASES, HALO
):
    """Adjoint of the data term's step.

    ``bar_x`` and ``bar_y`` are the gradients of the new u, ``constants`` those of the pair, ``sums`` four fields:
    the gradients of g_x and g_y but for their part through |grad F2|^2, that of rho_c, and half of that of
    |grad F2|^2; ``total`` is the sum that limit's gradient is added to. Returns the gradients of the old u and, with
    this iteration's added, the four fields and the sum.
    """
    grad_x, grad_y, rho_c, inverse = constants
    grad_bar_x, grad_bar_y, rho_bar, norm_bar = sums
    old_x, old_y, next_x, next_y, next_rho, next_norm = (), (), (), (), (), ()
    # As torch.clamp has it: the lower bound counts while it is below the upper one, else the upper one counts always.
    sign = tl.where(limit > 0.0, -1.0, tl.where(limit < 0.0, 1.0, 0.0))
    for e in tl.static_range(PIXELS):
        rho = rho_c[e] + grad_x[e] * u_x[e] + grad_y[e] * u_y[e]
        ratio = rho * -inverse[e]
        step = threshold(ratio, limit)
        step_bar = bar_x[e] * grad_x[e] + bar_y[e] * grad_y[e]
        above_limit, below_limit = ratio > limit, ratio < -limit
        within = tl.where(above_limit | below_limit, 0.0, step_bar)
        clipped = tl.where(above_limit | below_limit, step_bar, 0.0)
        at_rho = within * -inverse[e]
        old_x = old_x + (bar_x[e] + at_rho * grad_x[e],)
        old_y = old_y + (bar_y[e] + at_rho * grad_y[e],)
        next_x = next_x + (grad_bar_x[e] + bar_x[e] * step + at_rho * u_x[e],)
        next_y = next_y + (grad_bar_y[e] + bar_y[e] * step + at_rho * u_y[e],)
        next_rho = next_rho + (rho_bar[e] + at_rho,)
        next_norm = next_norm + (norm_bar[e] + at_rho * ratio,)
        clipped = owned_only(clipped, y0 + e // PHASES, x0 + e % PHASES, owned, HALO)
        total += clipped * tl.where(above_limit, 1.0, sign)
    return old_x, old_y, next_x, next_y, next_rho, next_norm, total


@triton.jit
def add_norm_terms(bar, norm_bar, grad, PIXELS: tl.constexpr):
    """The gradient of g_x or g_y with its part through |grad F2|^2."""
    field = ()
    for e in tl.static_range(PIXELS):
        field = field + (bar[e] + 2.0 * norm_bar[e] * grad[e],)
    return field
