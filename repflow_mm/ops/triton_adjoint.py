"""Device functions of the Triton backward pass: the adjoints of the parts of an iteration, and the sums.

A name with ``bar`` is the gradient of what it is named after. Fields are tuples as in ``triton_tiles``.
"""

from __future__ import annotations

import triton
import triton.language as tl

from repflow_mm.ops.triton_tiles import (
    EPSILON,
    WARP,
    above,
    below,
    forward_difference,
    left_of,
    pixel_mask,
    right_of,
    threshold,
)


@triton.jit
def zero_sums(COUNT: tl.constexpr, STRIPS: tl.constexpr):
    """Each thread's sums of a kernel argument's gradient."""
    sums = ()
    for _ in tl.static_range(COUNT):
        sums = sums + (tl.zeros((STRIPS, WARP), tl.float32),)
    return sums


@triton.jit
def difference_adjoint(bar_x, bar_y, taps, y0, x0, ROWS: tl.constexpr, PHASES: tl.constexpr, STRIPS: tl.constexpr):
    """Adjoint of ``forward_difference``, of gradients that are 0 at the last position."""
    field = ()
    for j in tl.static_range(ROWS):
        for i in tl.static_range(PHASES):
            along_x = taps[0] * bar_x[j * PHASES + i] + taps[1] * left_of(bar_x, x0, j, i, PHASES, STRIPS)
            along_y = taps[2] * bar_y[j * PHASES + i] + taps[3] * above(bar_y, y0, j, i, ROWS, PHASES, STRIPS)
            field = field + (along_x + along_y,)
    return field


@triton.jit
def divergence_adjoint(bar, taps, y0, x0, height, width, ROWS: tl.constexpr, PHASES: tl.constexpr, STRIPS):
    """Adjoint of ``divergence``: the gradients of p_x and of p_y, 0 at the last position."""
    bar_x, bar_y = (), ()
    for j in tl.static_range(ROWS):
        for i in tl.static_range(PHASES):
            here = bar[j * PHASES + i]
            along_x = taps[1] * here + taps[0] * right_of(bar, j, i, PHASES, STRIPS)
            along_y = taps[3] * here + taps[2] * below(bar, j, i, ROWS, PHASES, STRIPS)
            bar_x = bar_x + (tl.where(x0 + i < width - 1, along_x, 0.0),)
            bar_y = bar_y + (tl.where(y0 + j < height - 1, along_y, 0.0),)
    return bar_x, bar_y


@triton.jit
def ascent_adjoint(u, p_x, p_y, bar_x, bar_y, rate, taps, y0, x0, height, width, ROWS, PHASES, STRIPS):
    """Adjoint of one component's dual step.

    ``bar_x`` and ``bar_y`` are the gradients of the new p. Returns those of the old p, those of the flow gradient
    and the terms of rate's gradient.
    """
    along_x, along_y = forward_difference(u, taps, y0, x0, height, width, ROWS, PHASES, STRIPS)
    p_bar_x, p_bar_y, along_bar_x, along_bar_y, rate_terms = (), (), (), (), ()
    for e in tl.static_range(ROWS * PHASES):
        squared = along_x[e] * along_x[e] + along_y[e] * along_y[e] + EPSILON
        inverse = tl.rsqrt(squared)
        norm = squared * inverse
        shrink = 1.0 / (1.0 + rate * norm)
        old_x, old_y = bar_x[e] * shrink, bar_y[e] * shrink
        new_p_x, new_p_y = (p_x[e] + rate * along_x[e]) * shrink, (p_y[e] + rate * along_y[e]) * shrink
        shrink_bar = -(old_x * new_p_x + old_y * new_p_y)
        norm_bar = rate * shrink_bar * inverse
        at_x = rate * old_x + norm_bar * along_x[e]
        at_y = rate * old_y + norm_bar * along_y[e]
        p_bar_x = p_bar_x + (old_x,)
        p_bar_y = p_bar_y + (old_y,)
        along_bar_x = along_bar_x + (tl.where(x0 + e % PHASES < width - 1, at_x, 0.0),)
        along_bar_y = along_bar_y + (tl.where(y0 + e // PHASES < height - 1, at_y, 0.0),)
        rate_terms = rate_terms + (shrink_bar * norm + old_x * along_x[e] + old_y * along_y[e],)
    return p_bar_x, p_bar_y, along_bar_x, along_bar_y, rate_terms


@triton.jit
def add_term(total, term, y, x, owned, HALO: tl.constexpr):
    """Add a term to a sum, of the pixels that this tile owns."""
    if HALO > 0:
        term = tl.where(pixel_mask(y, x, owned), term, 0.0)
    return total + term


@triton.jit
def add_terms(total, terms, y0, x0, owned, PIXELS: tl.constexpr, PHASES: tl.constexpr, HALO: tl.constexpr):
    """Add a field to a sum."""
    for e in tl.static_range(PIXELS):
        total = add_term(total, terms[e], y0 + e // PHASES, x0 + e % PHASES, owned, HALO)
    return total


@triton.jit
def add_flow_terms(sums, u, bar_x, bar_y, y0, x0, height, width, owned, ROWS, PHASES, STRIPS, HALO):
    """Add one component's terms of the gradients of the flow gradient's taps: x0, x1, y0, y1."""
    x_0, x_1, y_0, y_1 = sums
    for j in tl.static_range(ROWS):
        for i in tl.static_range(PHASES):
            y, x = y0 + j, x0 + i
            at_x, at_y, here = bar_x[j * PHASES + i], bar_y[j * PHASES + i], u[j * PHASES + i]
            # Past the last position lies nothing, or another plane: what it holds must not count, even as 0 * NaN.
            right = tl.where(x < width - 1, right_of(u, j, i, PHASES, STRIPS), 0.0)
            under = tl.where(y < height - 1, below(u, j, i, ROWS, PHASES, STRIPS), 0.0)
            x_0 = add_term(x_0, at_x * here, y, x, owned, HALO)
            x_1 = add_term(x_1, at_x * right, y, x, owned, HALO)
            y_0 = add_term(y_0, at_y * here, y, x, owned, HALO)
            y_1 = add_term(y_1, at_y * under, y, x, owned, HALO)
    return x_0, x_1, y_0, y_1


@triton.jit
def add_divergence_terms(sums, bar, p_x, p_y, y0, x0, owned, ROWS, PHASES, STRIPS, HALO):
    """Add one component's terms of the gradients of the divergence's taps, but for the factor theta."""
    x_0, x_1, y_0, y_1 = sums
    for j in tl.static_range(ROWS):
        for i in tl.static_range(PHASES):
            y, x, here = y0 + j, x0 + i, bar[j * PHASES + i]
            x_0 = add_term(x_0, here * left_of(p_x, x0, j, i, PHASES, STRIPS), y, x, owned, HALO)
            x_1 = add_term(x_1, here * p_x[j * PHASES + i], y, x, owned, HALO)
            y_0 = add_term(y_0, here * above(p_y, y0, j, i, ROWS, PHASES, STRIPS), y, x, owned, HALO)
            y_1 = add_term(y_1, here * p_y[j * PHASES + i], y, x, owned, HALO)
    return x_0, x_1, y_0, y_1


@triton.jit
def descent_adjoint(
    u_x, u_y, bar_x, bar_y, grad_x, grad_y, rho_c, inverse, limit, grad_bar_x, grad_bar_y, rho_bar, PIXELS: tl.constexpr
):
    """Adjoint of the data term's step.

    ``bar_x`` and ``bar_y`` are the gradients of the new u. Returns those of the old u, the sums of those of g_x,
    g_y and rho_c with this iteration's added, and the terms of limit's gradient.
    """
    old_x, old_y, next_x, next_y, next_rho, limit_terms = (), (), (), (), (), ()
    for e in tl.static_range(PIXELS):
        rho = rho_c[e] + grad_x[e] * u_x[e] + grad_y[e] * u_y[e]
        ratio = -rho * inverse[e]
        step = threshold(ratio, limit)
        step_bar = bar_x[e] * grad_x[e] + bar_y[e] * grad_y[e]
        # As torch.clamp has it, also for a negative limit; a block, because the interpreter has no scalar conditions.
        bound = tl.zeros_like(ratio) + limit
        raised = (ratio < -bound) & (-bound < bound)
        lowered = (ratio > bound) | (bound < -bound)
        within = tl.where((ratio < -bound) | (ratio > bound), 0.0, step_bar)
        at_rho = -within * inverse[e]
        squared_bar = 2.0 * ratio * at_rho
        old_x = old_x + (bar_x[e] + at_rho * grad_x[e],)
        old_y = old_y + (bar_y[e] + at_rho * grad_y[e],)
        next_x = next_x + (grad_bar_x[e] + (bar_x[e] * step + at_rho * u_x[e] + squared_bar * grad_x[e]),)
        next_y = next_y + (grad_bar_y[e] + (bar_y[e] * step + at_rho * u_y[e] + squared_bar * grad_y[e]),)
        next_rho = next_rho + (rho_bar[e] + at_rho,)
        limit_terms = limit_terms + (tl.where(lowered, step_bar, tl.where(raised, -step_bar, 0.0)),)
    return old_x, old_y, next_x, next_y, next_rho, limit_terms


@triton.jit
def product_terms(a_x, b_x, a_y, b_y, PIXELS: tl.constexpr):
    """The field a_x * b_x + a_y * b_y."""
    field = ()
    for e in tl.static_range(PIXELS):
        field = field + (a_x[e] * b_x[e] + a_y[e] * b_y[e],)
    return field


@triton.jit
def add_fields(a, b, PIXELS: tl.constexpr):
    """The sum of two fields."""
    field = ()
    for e in tl.static_range(PIXELS):
        field = field + (a[e] + b[e],)
    return field


@triton.jit
def scale_field(a, factor, PIXELS: tl.constexpr):
    """A field times a scalar."""
    field = ()
    for e in tl.static_range(PIXELS):
        field = field + (factor * a[e],)
    return field
