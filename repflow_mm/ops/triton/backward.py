"""Backward pass of the flow solver in Triton: the kernels and the launcher.

The iterations are computed again, and their states kept in device memory for a chunk of planes at a time; README.md
in the folder above derives the adjoint of an iteration.
"""

from __future__ import annotations

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

from repflow_mm.ops.triton.adjoint import (
    add_divergence_terms,
    add_norm_terms,
    add_products,
    descent_adjoint,
    divergence_adjoint,
    dual_step_adjoint,
    zero_sums,
)
from repflow_mm.ops.triton.forward import (
    COMPONENTS,
    SHAPE,
    STORE_EVERY,
    launch,
    launch_forward,
    on_device,
    plane_chunks,
)
from repflow_mm.ops.triton.frames import frame_gradients
from repflow_mm.ops.triton.steps import (
    descend,
    divergence,
    load_pair,
    load_scalars,
    split_plane,
    taps_before_columns,
    taps_of_columns,
)
from repflow_mm.ops.triton.tile_choice import BACKWARD, FORWARD, Tile, ceil_div, choose_tile
from repflow_mm.ops.triton.tiles import (
    WARP,
    load_field,
    load_state,
    load_taps,
    store_field,
    store_state,
    tile_position,
    zero_field,
)

# Sums for the gradients of limit, theta (times theta), rate, then the taps of the flow gradient (over rate) and of the
# divergence (over theta): x0, x1, y0, y1.
NUM_SUMS = 11


@triton.jit(
    do_not_specialize=['last', 'num_iters', 'first_plane', 'num_planes', 'total_planes', *SHAPE],
    do_not_specialize_on_alignment=['grad_u_ptr', 'x_ptr', 'history_ptr', 'sums_ptr'],
)
def rep_flow_bwd_kernel(
    grad_u_ptr,  # (N, 2C, T-1, H, W)
    x_ptr,  # (N, C, T, H, W), any strides
    theta_ptr,  # ()
    lam_ptr,  # ()
    tau_ptr,  # ()
    image_ptr,  # (2, C, 3, 3)
    flow_ptr,  # (2, C, 2)
    div_ptr,  # (2, C, 2)
    history_ptr,  # (total iterations - 1, 6, num_planes, H, W): the states after them
    adjoint_in_ptr,  # (6, num_planes, H, W): gradients of the state; read where not FIRST
    adjoint_out_ptr,  # (6, num_planes, H, W); written where STORE_ADJOINT
    terms_ptr,  # (3, N*C*(T-1), H, W): gradients of g_x, g_y and rho_c; added to where not FIRST
    sums_ptr,  # (11, tiles, N*C*(T-1)): this launch's part of the sums
    last,
    num_iters,
    first_plane,
    num_planes,
    total_planes,
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
    FIRST: tl.constexpr,
    STORE_ADJOINT: tl.constexpr,
    ROWS: tl.constexpr,
    PHASES: tl.constexpr,
    STRIPS: tl.constexpr,
    LANES: tl.constexpr,
    HALO: tl.constexpr,
    EXACT: tl.constexpr,
):
    """The adjoint of iteration ``last`` (counted from 0) and of the ``num_iters - 1`` before it."""
    PIXELS: tl.constexpr = ROWS * PHASES
    local, valid, y0, x0, owned = tile_position(
        num_planes, tiles_y, tiles_x, height, width, ROWS, PHASES, STRIPS, LANES, HALO
    )
    plane = first_plane + local
    clip, channel, _ = split_plane(plane, channels, num_pairs)
    theta, limit, rate = load_scalars(theta_ptr, lam_ptr, tau_ptr)
    taps = load_taps(flow_ptr + channel * 2, channels * 2, valid, 2)
    flow_taps = taps_of_columns(taps, x0, width, PHASES)
    difference_taps = taps_before_columns(rate * taps[1], rate * taps[0], rate * taps[3], rate * taps[2], x0, PHASES)
    taps = load_taps(div_ptr + channel * 2, channels * 2, valid, 2)
    taps = (theta * taps[0], theta * taps[1], theta * taps[2], theta * taps[3])
    div_taps = taps_before_columns(taps[0], taps[1], taps[2], taps[3], x0, PHASES)
    divergence_taps = taps_of_columns((taps[1], taps[0], taps[3], taps[2]), x0, width, PHASES)
    strides = (stride_n, stride_c, stride_t, stride_h, stride_w)
    grad_x, grad_y, rho_c, inverse = load_pair(
        x_ptr, image_ptr, plane, valid, channels, num_pairs, strides, y0, x0, height, width, ROWS, PHASES, LANES
    )

    size = height.to(tl.int64) * width
    base = local.to(tl.int64) * size
    field_stride = num_planes * size
    terms_base, terms_stride = plane.to(tl.int64) * size, total_planes * size
    if FIRST:
        u_base = (clip * channels * num_pairs + plane) * size  # x-components; the y-components lie C * (T-1) planes on
        bar_x = load_field(grad_u_ptr, u_base, y0, x0, valid, height, width, ROWS, PHASES)
        u_base += channels * num_pairs * size
        bar_y = load_field(grad_u_ptr, u_base, y0, x0, valid, height, width, ROWS, PHASES)
        bar_xx, bar_xy = zero_field(PIXELS, STRIPS), zero_field(PIXELS, STRIPS)
        bar_yx, bar_yy = zero_field(PIXELS, STRIPS), zero_field(PIXELS, STRIPS)
        grad_bar_x, grad_bar_y = zero_field(PIXELS, STRIPS), zero_field(PIXELS, STRIPS)
        rho_bar = zero_field(PIXELS, STRIPS)
    else:
        bar_x, bar_y, bar_xx, bar_xy, bar_yx, bar_yy = load_state(
            adjoint_in_ptr, base, field_stride, y0, x0, valid, height, width, ROWS, PHASES
        )
        grad_bar_x = load_field(terms_ptr, terms_base, y0, x0, valid, height, width, ROWS, PHASES)
        grad_bar_y = load_field(terms_ptr, terms_base + terms_stride, y0, x0, valid, height, width, ROWS, PHASES)
        rho_bar = load_field(terms_ptr, terms_base + 2 * terms_stride, y0, x0, valid, height, width, ROWS, PHASES)
    norm_bar = zero_field(PIXELS, STRIPS)
    limit_sum, theta_sum = zero_sums(2, STRIPS)
    flow_sums, div_sums = zero_sums(5, STRIPS), zero_sums(4, STRIPS)
    flow, place = (rate, flow_taps, difference_taps), (y0, x0, height, width, owned)

    for step in range(num_iters):
        before = last - step - 1
        # Before the first iteration the state is 0: all of the load is masked.
        state_ptr, known = history_ptr + before * 6 * field_stride, valid & (before >= 0)
        state = load_state(state_ptr, base, field_stride, y0, x0, known, height, width, ROWS, PHASES)
        u_x, u_y, p_xx, p_xy, p_yx, p_yy = state
        div_x = divergence(p_xx, p_xy, div_taps, y0, ROWS, PHASES, LANES)
        div_y = divergence(p_yx, p_yy, div_taps, y0, ROWS, PHASES, LANES)
        new_x, new_y = descend(u_x, u_y, div_x, div_y, grad_x, grad_y, rho_c, inverse, limit, PIXELS)

        bar_x, bar_xx, bar_xy, flow_sums = dual_step_adjoint(
            new_x, (p_xx, p_xy), (bar_x, bar_xx, bar_xy), flow_sums, flow, place, ROWS, PHASES, LANES, HALO, EXACT
        )
        bar_y, bar_yx, bar_yy, flow_sums = dual_step_adjoint(
            new_y, (p_yx, p_yy), (bar_y, bar_yx, bar_yy), flow_sums, flow, place, ROWS, PHASES, LANES, HALO, EXACT
        )

        theta_sum = add_products(theta_sum, bar_x, div_x, y0, x0, owned, PIXELS, PHASES, HALO)
        theta_sum = add_products(theta_sum, bar_y, div_y, y0, x0, owned, PIXELS, PHASES, HALO)
        div_sums = add_divergence_terms(div_sums, bar_x, p_xx, p_xy, y0, x0, owned, ROWS, PHASES, LANES, HALO)
        div_sums = add_divergence_terms(div_sums, bar_y, p_yx, p_yy, y0, x0, owned, ROWS, PHASES, LANES, HALO)
        bar_xx, bar_xy = divergence_adjoint(
            bar_xx, bar_xy, bar_x, divergence_taps, y0, height, ROWS, PHASES, LANES, EXACT
        )
        bar_yx, bar_yy = divergence_adjoint(
            bar_yx, bar_yy, bar_y, divergence_taps, y0, height, ROWS, PHASES, LANES, EXACT
        )

        constants = (grad_x, grad_y, rho_c, inverse)
        terms = (grad_bar_x, grad_bar_y, rho_bar, norm_bar)
        bar_x, bar_y, grad_bar_x, grad_bar_y, rho_bar, norm_bar, limit_sum = descent_adjoint(
            u_x, u_y, bar_x, bar_y, constants, limit, terms, limit_sum, y0, x0, owned, PIXELS, PHASES, HALO
        )

    grad_bar_x = add_norm_terms(grad_bar_x, norm_bar, grad_x, PIXELS)
    grad_bar_y = add_norm_terms(grad_bar_y, norm_bar, grad_y, PIXELS)
    store_field(terms_ptr, terms_base, grad_bar_x, y0, x0, valid, owned, width, ROWS, PHASES)
    store_field(terms_ptr, terms_base + terms_stride, grad_bar_y, y0, x0, valid, owned, width, ROWS, PHASES)
    store_field(terms_ptr, terms_base + 2 * terms_stride, rho_bar, y0, x0, valid, owned, width, ROWS, PHASES)
    if STORE_ADJOINT:
        state = (bar_x, bar_y, bar_xx, bar_xy, bar_yx, bar_yy)
        store_state(adjoint_out_ptr, base, field_stride, state, y0, x0, valid, owned, width, ROWS, PHASES)
    sums = (limit_sum, theta_sum) + flow_sums + div_sums
    tiles, tile = tiles_y * tiles_x, tl.program_id(0) % (tiles_y * tiles_x)
    group = tl.program_id(0) // tiles * (WARP // LANES) + tl.arange(0, WARP // LANES)
    for k in tl.static_range(11):
        by_plane = tl.sum(tl.reshape(tl.sum(sums[k], axis=0), (WARP // LANES, LANES)), axis=1)
        target = sums_ptr + (k * tiles + tile).to(tl.int64) * total_planes + first_plane + group
        tl.store(target, by_plane, mask=group < num_planes)


def _fill_history(x, settings, tile, history, first_plane) -> None:
    """Compute the states after each iteration but the last again, into history (num_iters - 1, 6, planes, H, W)."""
    total, _, num_planes = history.shape[:3]
    step = tile.halo - FORWARD.rim if tile.halo else max(total, 1)
    for done in range(0, total, step):
        pointers = dict(
            state_in_ptr=history[done - 1] if done else None,
            state_out_ptr=history[done:],
            u_ptr=None,
            STORE=STORE_EVERY,
        )
        launch_forward(x, settings, tile, min(step, total - done), first_plane, num_planes, **pointers)


def _launch_backward(grad_u, x, settings, tile, history, terms, sums, first_plane) -> None:
    """Launch :func:`rep_flow_bwd_kernel` for a chunk of planes; sums is (launches, 11, tiles, N*C*(T-1))."""
    num_iters, num_planes = history.shape[0] + 1, history.shape[2]
    step = ceil_div(num_iters, len(sums))
    adjoints = [x.new_empty(history.shape[1:]) for _ in range(2 if len(sums) > 1 else 0)]
    adjoint = None
    for index, done in enumerate(range(0, num_iters, step)):
        target = adjoints[index % 2] if done + step < num_iters else None
        launch(
            rep_flow_bwd_kernel,
            x,
            settings,
            tile,
            num_planes,
            grad_u_ptr=grad_u,
            history_ptr=history,
            adjoint_in_ptr=adjoint,
            adjoint_out_ptr=target,
            terms_ptr=terms,
            sums_ptr=sums[index],
            last=num_iters - 1 - done,
            num_iters=min(step, num_iters - done),
            first_plane=first_plane,
            total_planes=terms.shape[1],
            FIRST=index == 0,
            STORE_ADJOINT=target is not None,
        )
        adjoint = target


def _parameter_gradients(sums: Tensor, theta: Tensor, lam: Tensor, tau: Tensor) -> tuple[Tensor, ...]:
    """Gradients of theta, lam, tau, flow_kernel and div_kernel in float64 from sums (11, C)."""
    limit_bar, theta_bar, rate_bar = sums[:3].sum(1)
    theta, lam, tau = theta.double(), lam.double(), tau.double()
    limit_bar = limit_bar + 0 * lam  # NaN is neither above the limit nor below it, so that no step counts as clipped
    theta_bar = theta_bar / theta + limit_bar * lam - rate_bar * tau / theta**2
    flow_taps, div_taps = sums[3:].view(2, 2, 2, -1).transpose(2, 3)  # (2, 2, C, 2): stencil, axis, channel, tap
    return theta_bar, limit_bar * theta, rate_bar / theta, tau / theta * flow_taps, theta * div_taps


def triton_backward(
    grad_u: Tensor,
    x: Tensor,
    theta: Tensor,
    lam: Tensor,
    tau: Tensor,
    image_kernel: Tensor,
    flow_kernel: Tensor,
    div_kernel: Tensor,
    num_iters: int,
    tile: Tile | None = None,
) -> tuple[Tensor, ...]:
    """Gradients of what :func:`triton_forward` computes, from its inputs alone; the result is deterministic.

    Computes the iterations again and keeps their states, 24 bytes a pixel and iteration, for as many planes at a
    time as fit ``scratch_bytes`` of device memory (at least one). All tensors are float32; the last sums are float64.

    Args:
        grad_u (Tensor): Gradient of u, (N, 2C, T-1, H, W).
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
        tuple[Tensor, ...]: Gradients of x, theta, lam, tau, image_kernel, flow_kernel and div_kernel, each of its
        argument's shape.
    """
    inputs = (x, theta, lam, tau, image_kernel, flow_kernel, div_kernel)
    n, c, t, h, w = x.shape
    num_planes = n * c * (t - 1)
    if num_planes == 0 or num_iters == 0:
        return tuple(torch.zeros_like(tensor) for tensor in inputs)
    grad_u, settings = grad_u.contiguous(), tuple(tensor.contiguous() for tensor in inputs[1:])
    history_tile, tile = tile or choose_tile(h, w, FORWARD), tile or choose_tile(h, w, BACKWARD)
    step = tile.halo - BACKWARD.rim if tile.halo else num_iters
    terms = x.new_empty((3, num_planes, h, w))
    sums = x.new_empty((ceil_div(num_iters, step), NUM_SUMS, math.prod(tile.count(h, w)), num_planes))
    states = num_iters - 1 + (2 if tile.halo else 0)
    with on_device(x):
        for first_plane, planes in plane_chunks(num_planes, states * COMPONENTS * 4 * h * w, x.device):
            history = x.new_empty((num_iters - 1, COMPONENTS, planes, h, w))
            _fill_history(x, settings, history_tile, history, first_plane)
            _launch_backward(grad_u, x, settings, tile, history, terms, sums, first_plane)
        grad_x, image_bar = frame_gradients(x, settings[3], terms)
    by_channel = sums.sum((0, 2), dtype=torch.float64).view(NUM_SUMS, n, c, t - 1).sum((1, 3))  # (11, C)
    theta_bar, lam_bar, tau_bar, flow_bar, div_bar = _parameter_gradients(by_channel, *settings[:3])
    gradients = (grad_x, theta_bar, lam_bar, tau_bar, image_bar, flow_bar, div_bar)
    return tuple(gradient.to(tensor.dtype).contiguous() for gradient, tensor in zip(gradients, inputs))
