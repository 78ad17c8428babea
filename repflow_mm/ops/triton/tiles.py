"""Device functions that the Triton kernels share: where a tile lies, loads and stores, a pixel's neighbours.

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
from triton.runtime.jit import JITFunction

WARP = tl.constexpr(32)


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


# Triton's coalescing pass takes time that grows with the number of tensor loads and stores times the square of the
# kernel's length, over a minute for a thread's 14 pixels; it leaves inline assembly alone, which in turn the
# interpreter cannot run.
INTERPRETED = tl.constexpr(not isinstance(pixel_mask, JITFunction))


@triton.jit
def load_pixel(ptr, inside):
    """The elements at ``ptr``, 0 where they are not ``inside``."""
    if INTERPRETED:
        return tl.load(ptr, mask=inside, other=0.0)
    else:
        return tl.inline_asm_elementwise(
            '{ .reg .pred inside; setp.ne.b32 inside, $2, 0; mov.b32 $0, 0; @inside ld.global.b32 $0, [$1]; }',
            '=&r,l,r',
            [ptr.to(tl.int64), inside.to(tl.int32)],
            dtype=tl.float32,
            is_pure=False,
            pack=1,
        )


@triton.jit
def store_pixel(ptr, value, inside):
    """Write ``value`` to ``ptr`` where ``inside``."""
    if INTERPRETED:
        tl.store(ptr, value, mask=inside)
    else:
        tl.inline_asm_elementwise(
            '{ .reg .pred inside; setp.ne.b32 inside, $3, 0; mov.b32 $0, 0; @inside st.global.b32 [$1], $2; }',
            '=&r,l,r,r',
            [ptr.to(tl.int64), value, inside.to(tl.int32)],
            dtype=tl.int32,
            is_pure=False,
            pack=1,
        )


@triton.jit
def load_frame(ptr, y0, x0, valid, height, width, stride_h, stride_w, ROWS: tl.constexpr, PHASES: tl.constexpr):
    """A field of the tile from the frame at ``ptr``, any strides; 0 outside the plane."""
    field = ()
    for j in tl.static_range(ROWS):
        for i in tl.static_range(PHASES):
            y, x = y0 + j, x0 + i
            inside = valid & (y < height) & (x < width)
            offset = y.to(tl.int64) * stride_h + x.to(tl.int64) * stride_w
            field = field + (load_pixel(ptr + offset, inside),)
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
            store_pixel(ptr + base + offset, field[j * PHASES + i], inside)


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
            taps = taps + (load_pixel(ptr + (axis * stride_axis + k), mask),)
    return taps


@triton.jit
def shift_lanes(block, OFFSET: tl.constexpr, LANES: tl.constexpr):
    """``block`` of the lane ``OFFSET`` further on, at the end of a plane's LANES the lane's own: a warp shuffle."""
    lane = tl.arange(0, WARP)[None, :]
    column = lane % LANES + OFFSET
    lane = tl.where((column >= 0) & (column < LANES), lane + OFFSET, lane)
    return tl.gather(block, tl.broadcast_to(lane, block.shape), 1)


@triton.jit
def shift_strips(block, OFFSET: tl.constexpr):
    """``block`` of the strip ``OFFSET`` further on, of its own at the end of the tile: through shared memory."""
    if block.shape[0] == 1:
        return block
    # Flattened, because a gather along the first axis of the block makes Triton change the layout of whole fields.
    index = tl.arange(0, block.numel) + OFFSET * WARP
    index = tl.where((index >= 0) & (index < block.numel), index, index - OFFSET * WARP)
    return tl.reshape(tl.gather(tl.reshape(block, (block.numel,)), index, 0), block.shape)


@triton.jit
def right_of(field, j: tl.constexpr, i: tl.constexpr, PHASES: tl.constexpr, LANES: tl.constexpr):
    """The field at (y, x + 1); at the tile's last column some other value of the plane."""
    if i < PHASES - 1:
        return field[j * PHASES + i + 1]
    else:
        return shift_lanes(field[j * PHASES], 1, LANES)


@triton.jit
def left_of(field, j: tl.constexpr, i: tl.constexpr, PHASES: tl.constexpr, LANES: tl.constexpr):
    """The field at (y, x - 1); at the tile's first column some other value of the plane."""
    if i > 0:
        return field[j * PHASES + i - 1]
    else:
        return shift_lanes(field[j * PHASES + PHASES - 1], -1, LANES)


@triton.jit
def below(field, j: tl.constexpr, i: tl.constexpr, ROWS: tl.constexpr, PHASES: tl.constexpr):
    """The field at (y + 1, x); in the tile's last row some other value of the plane."""
    if j < ROWS - 1:
        return field[(j + 1) * PHASES + i]
    else:
        return shift_strips(field[i], 1)


@triton.jit
def above(field, y0, j: tl.constexpr, i: tl.constexpr, ROWS: tl.constexpr, PHASES: tl.constexpr):
    """The field at (y - 1, x), 0 before the first row."""
    if j > 0:
        return field[(j - 1) * PHASES + i]
    else:
        return tl.where(y0 > 0, shift_strips(field[(ROWS - 1) * PHASES + i], -1), 0.0)


@triton.jit
def neighbours(field, y0, x0, height, width, AXIS: tl.constexpr, ROWS: tl.constexpr, PHASES: tl.constexpr, LANES):
    """Two fields: the neighbour before and the one after along the axis (0: y, 1: x), 0 outside the plane."""
    before, after = (), ()
    for j in tl.static_range(ROWS):
        for i in tl.static_range(PHASES):
            if AXIS == 1:
                before = before + (tl.where(x0 + i > 0, left_of(field, j, i, PHASES, LANES), 0.0),)
                after = after + (tl.where(x0 + i < width - 1, right_of(field, j, i, PHASES, LANES), 0.0),)
            else:
                before = before + (above(field, y0, j, i, ROWS, PHASES),)
                after = after + (tl.where(y0 + j < height - 1, below(field, j, i, ROWS, PHASES), 0.0),)
    return before, after
