"""Device functions that the Triton kernels share: where a tile lies, its neighbours, one step of the solver.

A program holds a tile of ``STRIPS * ROWS`` rows and ``LANES * PHASES`` columns in registers. A field is a tuple of
``ROWS * PHASES`` blocks (STRIPS, 32), one element a thread: warp = strip, so a thread owns ROWS consecutive rows of
PHASES consecutive columns, and block ``row * PHASES + phase`` of the tuple is that pixel of every thread. Most
neighbours are then other blocks of the tuple and cost nothing. Across the lanes of a warp, ``tl.gather`` along the
last axis becomes one warp shuffle; across strips, a gather over the flattened block goes through shared memory, for
one row in ROWS. Planes narrower than 17 columns share a warp: LANES columns of lanes belong to each.
"""

from __future__ import annotations

import triton
import triton.language as tl

WARP = tl.constexpr(32)
EPSILON = tl.constexpr(1e-12)


@triton.jit
def tile_position(num_planes, tiles_y, tiles_x, height, width, ROWS, PHASES, STRIPS, LANES, HALO):
    """Plane (scalar, or (1, 32) where planes share a warp), first row (STRIPS, 1) and column (1, 32) of a thread.

    The last result is the rectangle of the plane that this tile alone writes: first and end row and column.
    """
    program = tl.program_id(0)
    tile_y = program % (tiles_y * tiles_x) // tiles_x
    tile_x = program % tiles_x
    lane = tl.arange(0, WARP)[None, :]
    plane = program // (tiles_y * tiles_x)
    if LANES < WARP:
        plane = plane * (WARP // LANES) + lane // LANES
    origin_y = tile_y * (STRIPS * ROWS - 2 * HALO)
    origin_x = tile_x * (LANES * PHASES - 2 * HALO)
    y0 = origin_y + tl.arange(0, STRIPS)[:, None] * ROWS
    x0 = origin_x + lane % LANES * PHASES
    first_y = tl.where(tile_y == 0, 0, origin_y + HALO)
    first_x = tl.where(tile_x == 0, 0, origin_x + HALO)
    end_y = tl.where(tile_y == tiles_y - 1, height, origin_y + STRIPS * ROWS - HALO)
    end_x = tl.where(tile_x == tiles_x - 1, width, origin_x + LANES * PHASES - HALO)
    return plane, plane < num_planes, y0, x0, (first_y, end_y, first_x, end_x)


@triton.jit
def pixel_mask(y, x, bounds):
    """Where (y, x) lies in ``bounds`` = (first row, end row, first column, end column)."""
    return (y >= bounds[0]) & (y < bounds[1]) & (x >= bounds[2]) & (x < bounds[3])


@triton.jit
def zero_field(PIXELS: tl.constexpr, STRIPS: tl.constexpr):
    """A field of zeros."""
    field = ()
    for _ in tl.static_range(PIXELS):
        field = field + (tl.zeros((STRIPS, WARP), tl.float32),)
    return field


@triton.jit
def zero_state(PIXELS: tl.constexpr, STRIPS: tl.constexpr):
    """u_x, u_y, p_xx, p_xy, p_yx, p_yy of zeros."""
    zero = zero_field(PIXELS, STRIPS)
    return zero, zero, zero, zero, zero, zero


@triton.jit
def load_frame(ptr, y0, x0, valid, height, width, stride_h, stride_w, ROWS: tl.constexpr, PHASES: tl.constexpr):
    """A field of the tile in float32 from the frame at ``ptr``, any strides; 0 outside the plane."""
    field = ()
    for j in tl.static_range(ROWS):
        for i in tl.static_range(PHASES):
            y, x = y0 + j, x0 + i
            inside = valid & (y < height) & (x < width)
            value = tl.load(ptr + (y.to(tl.int64) * stride_h + x.to(tl.int64) * stride_w), mask=inside, other=0.0)
            field = field + (value.to(tl.float32),)
    return field


@triton.jit
def load_field(ptr, base, y0, x0, valid, height, width, ROWS: tl.constexpr, PHASES: tl.constexpr):
    """A field of the tile from contiguous planes (H, W) at ``ptr + base``; 0 outside the plane."""
    return load_frame(ptr + base, y0, x0, valid, height, width, width, 1, ROWS, PHASES)


@triton.jit
def store_field(ptr, base, field, y0, x0, valid, bounds, width, ROWS: tl.constexpr, PHASES: tl.constexpr):
    """Write the part of the field that lies in ``bounds`` to contiguous planes (H, W) at ``ptr + base``."""
    for j in tl.static_range(ROWS):
        for i in tl.static_range(PHASES):
            y, x = y0 + j, x0 + i
            inside = valid & pixel_mask(y, x, bounds)
            offset = y.to(tl.int64) * width + x
            tl.store(ptr + base + offset, field[j * PHASES + i].to(ptr.dtype.element_ty), mask=inside)


@triton.jit
def load_state(ptr, base, stride, y0, x0, valid, height, width, ROWS: tl.constexpr, PHASES: tl.constexpr):
    """u_x, u_y, p_xx, p_xy, p_yx, p_yy, which lie ``stride`` elements apart."""
    return (
        load_field(ptr, base, y0, x0, valid, height, width, ROWS, PHASES),
        load_field(ptr, base + stride, y0, x0, valid, height, width, ROWS, PHASES),
        load_field(ptr, base + 2 * stride, y0, x0, valid, height, width, ROWS, PHASES),
        load_field(ptr, base + 3 * stride, y0, x0, valid, height, width, ROWS, PHASES),
        load_field(ptr, base + 4 * stride, y0, x0, valid, height, width, ROWS, PHASES),
        load_field(ptr, base + 5 * stride, y0, x0, valid, height, width, ROWS, PHASES),
    )


@triton.jit
def store_state(ptr, base, stride, state, y0, x0, valid, bounds, width, ROWS: tl.constexpr, PHASES: tl.constexpr):
    """The counterpart of ``load_state``; writes what lies in ``bounds``."""
    for k in tl.static_range(6):
        store_field(ptr, base + k * stride, state[k], y0, x0, valid, bounds, width, ROWS, PHASES)


@triton.jit
def load_taps(ptr, stride_axis, mask, COUNT: tl.constexpr):
    """The taps of both axes, x first, as a tuple of 2 * COUNT scalars (or (1, 32) where planes share a warp)."""
    taps = ()
    for axis in tl.static_range(2):
        for k in tl.static_range(COUNT):
            tap = tl.load(ptr + (axis * stride_axis + k), mask=mask, other=0.0)
            taps = taps + (tap.to(tl.float32),)
    return taps


@triton.jit
def shift_lanes(block, OFFSET: tl.constexpr, STRIPS: tl.constexpr):
    """``block`` of the lane ``OFFSET`` further on: a warp shuffle."""
    lane = tl.arange(0, WARP)[None, :] + OFFSET
    lane = tl.minimum(tl.maximum(lane, 0), WARP - 1)
    return tl.gather(block, tl.broadcast_to(lane, (STRIPS, WARP)), 1)


@triton.jit
def shift_strips(block, OFFSET: tl.constexpr, STRIPS: tl.constexpr):
    """``block`` of the strip ``OFFSET`` further on, through shared memory."""
    if STRIPS == 1:
        return block
    # Flattened, because a gather along the first axis of the block makes Triton change the layout of whole fields.
    index = tl.arange(0, STRIPS * WARP) + OFFSET * WARP
    index = tl.minimum(tl.maximum(index, 0), STRIPS * WARP - 1)
    flat = tl.gather(tl.reshape(block, (STRIPS * WARP,)), index, 0)
    return tl.reshape(flat, (STRIPS, WARP))


@triton.jit
def right_of(field, j: tl.constexpr, i: tl.constexpr, PHASES: tl.constexpr, STRIPS: tl.constexpr):
    """The field at (y, x + 1)."""
    if i < PHASES - 1:
        return field[j * PHASES + i + 1]
    else:
        return shift_lanes(field[j * PHASES], 1, STRIPS)


@triton.jit
def left_of(field, x0, j: tl.constexpr, i: tl.constexpr, PHASES: tl.constexpr, STRIPS: tl.constexpr):
    """The field at (y, x - 1), 0 before the first column."""
    if i > 0:
        return field[j * PHASES + i - 1]
    else:
        return tl.where(x0 > 0, shift_lanes(field[j * PHASES + PHASES - 1], -1, STRIPS), 0.0)


@triton.jit
def below(field, j: tl.constexpr, i: tl.constexpr, ROWS: tl.constexpr, PHASES: tl.constexpr, STRIPS: tl.constexpr):
    """The field at (y + 1, x)."""
    if j < ROWS - 1:
        return field[(j + 1) * PHASES + i]
    else:
        return shift_strips(field[i], 1, STRIPS)


@triton.jit
def above(field, y0, j: tl.constexpr, i: tl.constexpr, ROWS: tl.constexpr, PHASES: tl.constexpr, STRIPS: tl.constexpr):
    """The field at (y - 1, x), 0 before the first row."""
    if j > 0:
        return field[(j - 1) * PHASES + i]
    else:
        return tl.where(y0 > 0, shift_strips(field[(ROWS - 1) * PHASES + i], -1, STRIPS), 0.0)


@triton.jit
def neighbours(field, y0, x0, height, width, AXIS: tl.constexpr, ROWS: tl.constexpr, PHASES: tl.constexpr, STRIPS):
    """Two fields: the neighbour before and the one after along the axis (0: y, 1: x), 0 outside the plane."""
    before, after = (), ()
    for j in tl.static_range(ROWS):
        for i in tl.static_range(PHASES):
            if AXIS == 1:
                before = before + (left_of(field, x0, j, i, PHASES, STRIPS),)
                after = after + (tl.where(x0 + i < width - 1, right_of(field, j, i, PHASES, STRIPS), 0.0),)
            else:
                before = before + (above(field, y0, j, i, ROWS, PHASES, STRIPS),)
                after = after + (tl.where(y0 + j < height - 1, below(field, j, i, ROWS, PHASES, STRIPS), 0.0),)
    return before, after


@triton.jit
def image_terms(first, second, taps, y0, x0, valid, height, width, ROWS: tl.constexpr, PHASES: tl.constexpr, STRIPS):
    """The constants of a pair of frames: g_x, g_y and rho_c = F2 - F1; 0 outside the plane.

    Wrong at the rim of a tile that the plane goes on beyond.
    """
    left, right = neighbours(second, y0, x0, height, width, 1, ROWS, PHASES, STRIPS)
    above_left, below_left = neighbours(left, y0, x0, height, width, 0, ROWS, PHASES, STRIPS)
    above_here, below_here = neighbours(second, y0, x0, height, width, 0, ROWS, PHASES, STRIPS)
    above_right, below_right = neighbours(right, y0, x0, height, width, 0, ROWS, PHASES, STRIPS)
    window = (above_left, above_here, above_right, left, second, right, below_left, below_here, below_right)
    first_left, first_right = neighbours(first, y0, x0, height, width, 1, ROWS, PHASES, STRIPS)
    first_above, first_below = neighbours(first, y0, x0, height, width, 0, ROWS, PHASES, STRIPS)
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
        field = field + (1.0 / (grad_x[e] * grad_x[e] + grad_y[e] * grad_y[e] + EPSILON),)
    return field


@triton.jit
def forward_difference(u, taps, y0, x0, height, width, ROWS, PHASES, STRIPS):
    """Flow gradient of one component along x and along y, 0 at the last position."""
    along_x, along_y = (), ()
    for j in tl.static_range(ROWS):
        for i in tl.static_range(PHASES):
            here = u[j * PHASES + i]
            step_x = taps[0] * here + taps[1] * right_of(u, j, i, PHASES, STRIPS)
            step_y = taps[2] * here + taps[3] * below(u, j, i, ROWS, PHASES, STRIPS)
            along_x = along_x + (tl.where(x0 + i < width - 1, step_x, 0.0),)
            along_y = along_y + (tl.where(y0 + j < height - 1, step_y, 0.0),)
    return along_x, along_y


@triton.jit
def divergence(p_x, p_y, taps, y0, x0, ROWS, PHASES, STRIPS):
    """Divergence of one component's dual field.

    p_x is 0 in the last column and p_y in the last row without a mask: the flow gradient is 0 there, so they stay
    at their start.
    """
    field = ()
    for j in tl.static_range(ROWS):
        for i in tl.static_range(PHASES):
            along_x = taps[0] * left_of(p_x, x0, j, i, PHASES, STRIPS) + taps[1] * p_x[j * PHASES + i]
            along_y = taps[2] * above(p_y, y0, j, i, ROWS, PHASES, STRIPS) + taps[3] * p_y[j * PHASES + i]
            field = field + (along_x + along_y,)
    return field


@triton.jit
def threshold(ratio, limit):
    """Clamp to [-limit, limit]; NaN stays NaN."""
    raised = tl.maximum(ratio, -limit, propagate_nan=tl.PropagateNan.ALL)
    return tl.minimum(raised, limit, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def descend(u_x, u_y, div_x, div_y, grad_x, grad_y, rho_c, inverse, limit, theta, PIXELS: tl.constexpr):
    """The step of the flow: both components after the data term and the divergence."""
    next_x, next_y = (), ()
    for e in tl.static_range(PIXELS):
        rho = rho_c[e] + grad_x[e] * u_x[e] + grad_y[e] * u_y[e]
        step = threshold(-rho * inverse[e], limit)
        next_x = next_x + (u_x[e] + step * grad_x[e] + theta * div_x[e],)
        next_y = next_y + (u_y[e] + step * grad_y[e] + theta * div_y[e],)
    return next_x, next_y


@triton.jit
def ascend(p_x, p_y, along_x, along_y, rate, PIXELS: tl.constexpr):
    """The step of one component's dual field."""
    next_x, next_y = (), ()
    for e in tl.static_range(PIXELS):
        norm = tl.sqrt(along_x[e] * along_x[e] + along_y[e] * along_y[e] + EPSILON)
        shrink = 1.0 / (1.0 + rate * norm)
        next_x = next_x + ((p_x[e] + rate * along_x[e]) * shrink,)
        next_y = next_y + ((p_y[e] + rate * along_y[e]) * shrink,)
    return next_x, next_y
