"""Forward pass of the flow solver in Triton: the kernel, the choice of a tile and the launcher.

README.md in the folder above says what is held where, and why.
"""

from __future__ import annotations

import contextlib
import functools

import torch
import triton
import triton.language as tl
from torch import Tensor

from repflow_mm.ops.triton.steps import (
    ascend,
    descend,
    divergence,
    forward_difference,
    load_pair,
    load_scalars,
    split_plane,
    taps_before_columns,
    taps_of_columns,
)
from repflow_mm.ops.triton.tile_choice import FORWARD, Tile, ceil_div, choose_tile
from repflow_mm.ops.triton.tiles import (
    load_state,
    load_taps,
    store_field,
    store_state,
    tile_position,
    zero_state,
)

# Device memory for what lies between launches, per call: a share of the device's, but at least so much. With larger
# chunks of planes less of the GPU idles at their ends, and less of the CPU's time goes into launches.
SCRATCH_BYTES = 256 * 2**20
SCRATCH_SHARE = 1 / 80
COMPONENTS = 6  # u_x, u_y, p_xx, p_xy, p_yx, p_yy
STORE_NONE, STORE_LAST, STORE_EVERY = range(3)
# Arguments for whose values Triton is not to compile kernels of their own: none would be faster, as each thread reads
# single elements.
SHAPE = ('channels', 'num_pairs', 'height', 'width', 'stride_n', 'stride_c', 'stride_t', 'stride_h')


@triton.jit(
    do_not_specialize=['num_iters', 'first_plane', 'num_planes', *SHAPE],
    do_not_specialize_on_alignment=['x_ptr', 'state_in_ptr', 'state_out_ptr', 'u_ptr'],
)
def rep_flow_fwd_kernel(
    x_ptr,  # (N, C, T, H, W), any strides
    theta_ptr,  # ()
    lam_ptr,  # ()
    tau_ptr,  # ()
    image_ptr,  # (2, C, 3, 3)
    flow_ptr,  # (2, C, 2)
    div_ptr,  # (2, C, 2)
    state_in_ptr,  # (6, num_planes, H, W); read where LOAD_STATE
    state_out_ptr,  # (iterations or 1, 6, num_planes, H, W); written where STORE > 0
    u_ptr,  # (N, 2C, T-1, H, W); written where STORE == 0
    num_iters,
    first_plane,
    num_planes,
    channels,
    num_pairs,
    height,
    width,
    stride_n,
    stride_c,
    stride_t,
    stride_h,
    stride_w,
    tiles_y,
    tiles_x,
    LOAD_STATE: tl.constexpr,
    STORE: tl.constexpr,
    ROWS: tl.constexpr,
    PHASES: tl.constexpr,
    STRIPS: tl.constexpr,
    LANES: tl.constexpr,
    HALO: tl.constexpr,
    EXACT: tl.constexpr,
):
    """``num_iters`` iterations of the planes ``first_plane`` and on, in the order (N, C, T-1)."""
    PIXELS: tl.constexpr = ROWS * PHASES
    REFINED: tl.constexpr = STORE == 2
    local, valid, y0, x0, owned = tile_position(
        num_planes, tiles_y, tiles_x, height, width, ROWS, PHASES, STRIPS, LANES, HALO
    )
    plane = first_plane + local
    clip, channel, _ = split_plane(plane, channels, num_pairs)
    theta, limit, rate = load_scalars(theta_ptr, lam_ptr, tau_ptr)
    taps = load_taps(flow_ptr + channel * 2, channels * 2, valid, 2)
    flow_taps = taps_of_columns(taps, x0, width, PHASES)
    taps = load_taps(div_ptr + channel * 2, channels * 2, valid, 2)
    div_taps = taps_before_columns(theta * taps[0], theta * taps[1], theta * taps[2], theta * taps[3], x0, PHASES)
    strides = (stride_n, stride_c, stride_t, stride_h, stride_w)
    grad_x, grad_y, rho_c, inverse = load_pair(
        x_ptr, image_ptr, plane, valid, channels, num_pairs, strides, y0, x0, height, width, ROWS, PHASES, LANES
    )

    size = height.to(tl.int64) * width
    base = local.to(tl.int64) * size
    field_stride = num_planes * size
    if LOAD_STATE:
        state = load_state(state_in_ptr, base, field_stride, y0, x0, valid, height, width, ROWS, PHASES)
    else:
        state = zero_state(PIXELS, STRIPS)
    u_x, u_y, p_xx, p_xy, p_yx, p_yy = state

    for iteration in range(num_iters):
        div_x = divergence(p_xx, p_xy, div_taps, y0, ROWS, PHASES, LANES)
        div_y = divergence(p_yx, p_yy, div_taps, y0, ROWS, PHASES, LANES)
        u_x, u_y = descend(u_x, u_y, div_x, div_y, grad_x, grad_y, rho_c, inverse, limit, PIXELS)
        along_x, along_y = forward_difference(u_x, flow_taps, y0, height, ROWS, PHASES, LANES, EXACT)
        p_xx, p_xy = ascend(p_xx, p_xy, along_x, along_y, rate, PIXELS, REFINED)
        along_x, along_y = forward_difference(u_y, flow_taps, y0, height, ROWS, PHASES, LANES, EXACT)
        p_yx, p_yy = ascend(p_yx, p_yy, along_x, along_y, rate, PIXELS, REFINED)
        if STORE == 2:
            slot = base + iteration * 6 * field_stride
            state = (u_x, u_y, p_xx, p_xy, p_yx, p_yy)
            store_state(state_out_ptr, slot, field_stride, state, y0, x0, valid, owned, width, ROWS, PHASES)

    if STORE == 1:
        state = (u_x, u_y, p_xx, p_xy, p_yx, p_yy)
        store_state(state_out_ptr, base, field_stride, state, y0, x0, valid, owned, width, ROWS, PHASES)
    if STORE == 0:
        u_base = (clip * channels * num_pairs + plane) * size  # x-components; the y-components lie C * (T-1) planes on
        store_field(u_ptr, u_base, u_x, y0, x0, valid, owned, width, ROWS, PHASES)
        u_base += channels * num_pairs * size
        store_field(u_ptr, u_base, u_y, y0, x0, valid, owned, width, ROWS, PHASES)


def plane_strides(x: Tensor) -> dict[str, int]:
    """Shape and strides of x (N, C, T, H, W) as the kernels name them."""
    names = ('stride_n', 'stride_c', 'stride_t', 'stride_h', 'stride_w')
    _, channels, frames, height, width = x.shape
    return dict(channels=channels, num_pairs=frames - 1, height=height, width=width, **dict(zip(names, x.stride())))


def launch(kernel, x: Tensor, settings: tuple[Tensor, ...], tile: Tile, num_planes: int, **arguments) -> None:
    """Launch a kernel over the tiles of ``num_planes`` planes of x (N, C, T, H, W).

    ``settings`` are theta, lam, tau and the three kernels; ``arguments`` are those that the kernel has of its own.
    """
    height, width = x.shape[3:]
    tiles_y, tiles_x = tile.count(height, width)
    names = ('theta_ptr', 'lam_ptr', 'tau_ptr', 'image_ptr', 'flow_ptr', 'div_ptr')
    kernel[(tile.programs(num_planes, height, width),)](
        x_ptr=x,
        **dict(zip(names, settings)),
        num_planes=num_planes,
        **plane_strides(x),
        tiles_y=tiles_y,
        tiles_x=tiles_x,
        **tile.constants(height),
        num_warps=tile.strips,
        enable_fp_fusion=True,
        **arguments,
    )


def on_device(x: Tensor) -> contextlib.AbstractContextManager:
    """Makes x's device the current one: Triton launches there."""
    return torch.cuda.device(x.device) if x.is_cuda else contextlib.nullcontext()


def launch_forward(
    x: Tensor, settings: tuple[Tensor, ...], tile: Tile, num_iters: int, first_plane: int, num_planes: int, **pointers
) -> None:
    """Launch :func:`rep_flow_fwd_kernel`; ``pointers`` are state_in_ptr, state_out_ptr, u_ptr and STORE."""
    load_state = pointers['state_in_ptr'] is not None
    iterations = dict(num_iters=num_iters, first_plane=first_plane, LOAD_STATE=load_state)
    launch(rep_flow_fwd_kernel, x, settings, tile, num_planes, **iterations, **pointers)


@functools.cache
def scratch_bytes(device: torch.device) -> int:
    """How much memory may lie between the launches of a call on a device."""
    if device.type != 'cuda':
        return SCRATCH_BYTES
    return max(SCRATCH_BYTES, int(SCRATCH_SHARE * torch.cuda.get_device_properties(device).total_memory))


def plane_chunks(num_planes: int, bytes_per_plane: int, device: torch.device) -> list[tuple[int, int]]:
    """(first plane, number of planes) of chunks whose scratch stays within :func:`scratch_bytes`, or is one plane's.

    They are as even as can be: a small one at the end would leave most of the GPU idle.
    """
    most = max(1, scratch_bytes(device) // max(1, bytes_per_plane))
    size = ceil_div(num_planes, ceil_div(num_planes, most))
    return [(first, min(size, num_planes - first)) for first in range(0, num_planes, size)]


def triton_forward(
    x: Tensor,
    theta: Tensor,
    lam: Tensor,
    tau: Tensor,
    image_kernel: Tensor,
    flow_kernel: Tensor,
    div_kernel: Tensor,
    num_iters: int,
    tile: Tile | None = None,
) -> Tensor:
    """Representation flow of every pair of neighbouring frames; computes what ``rep_flow_ref`` specifies.

    Planes up to 64 x 64 are solved in one launch that reads F1 and F2 and writes u; larger ones in launches of a few
    iterations, with u and p in between in device memory, at most ``scratch_bytes`` of it. All tensors are float32.

    Args:
        x (Tensor): Features (N, C, T, H, W), any strides.
        theta (Tensor): ().
        lam (Tensor): ().
        tau (Tensor): ().
        image_kernel (Tensor): (2, C, 3, 3), ``[0]`` for x.
        flow_kernel (Tensor): (2, C, 2), ``[0]`` along x.
        div_kernel (Tensor): (2, C, 2), ``[0]`` along x.
        num_iters (int): Number of iterations, >= 0.
        tile (Tile, optional): Defaults to the choice of ``choose_tile``.

    Returns:
        Tensor: u, (N, 2C, T-1, H, W), in feature-grid pixels per frame step.
    """
    n, c, t, h, w = x.shape
    u = x.new_empty((n, 2 * c, t - 1, h, w))
    num_planes = n * c * (t - 1)
    if num_planes == 0:
        return u
    settings = tuple(s.contiguous() for s in (theta, lam, tau, image_kernel, flow_kernel, div_kernel))
    tile = tile or choose_tile(h, w, FORWARD)
    with on_device(x):
        if tile.halo == 0:
            pointers = dict(state_in_ptr=None, state_out_ptr=None, u_ptr=u, STORE=STORE_NONE)
            launch_forward(x, settings, tile, num_iters, 0, num_planes, **pointers)
        else:
            _stream_forward(x, settings, tile, num_iters, u)
    return u


def _stream_forward(x: Tensor, settings: tuple[Tensor, ...], tile: Tile, num_iters: int, u: Tensor) -> None:
    """Write u (N, 2C, T-1, H, W) in launches of a few iterations."""
    n, c, t, h, w = x.shape
    step = tile.halo - FORWARD.rim
    for first_plane, num_planes in plane_chunks(n * c * (t - 1), 2 * COMPONENTS * 4 * h * w, x.device):
        shape = (COMPONENTS, num_planes, h, w)
        # Two states in turn, because a tile reads what its neighbours own.
        states = [x.new_empty(shape) for _ in range(2 if num_iters > step else 0)]
        state = None
        for done in range(0, max(num_iters, 1), step):
            last = done + step >= num_iters
            target = None if last else states[done // step % 2]
            pointers = dict(state_in_ptr=state, state_out_ptr=target, u_ptr=u, STORE=STORE_NONE if last else STORE_LAST)
            launch_forward(x, settings, tile, min(step, num_iters - done), first_plane, num_planes, **pointers)
            state = target
