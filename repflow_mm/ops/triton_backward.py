"""Backward pass of the flow solver in Triton: the kernels and the launcher.

The iterations are computed again, and their states kept in device memory for a chunk of planes at a time; README.md
in this folder derives the adjoint of an iteration.
"""

from __future__ import annotations

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

from repflow_mm.ops.triton_adjoint import (
    add_divergence_terms,
    add_fields,
    add_flow_terms,
    add_terms,
    ascent_adjoint,
    descent_adjoint,
    difference_adjoint,
    divergence_adjoint,
    product_terms,
    scale_field,
    zero_sums,
)
from repflow_mm.ops.triton_frames import frame_gradients
from repflow_mm.ops.triton_kernels import (
    COMPONENTS,
    FORWARD_RIM,
    STORE_EVERY,
    Tile,
    choose_tile,
    launch_forward,
    on_device,
    plane_chunks,
    plane_strides,
)
from repflow_mm.ops.triton_tiles import (
    WARP,
    descend,
    divergence,
    image_terms,
    inverse_norm,
    load_field,
    load_frame,
    load_state,
    load_taps,
    store_field,
    store_state,
    tile_position,
    zero_field,
)

BACKWARD_PIXELS = (4, 8)
# Like FORWARD_RIM: the adjoint reaches one pixel further than the iteration that it computes again.
BACKWARD_RIM = 2
NUM_SUMS = 11  # limit, rate, theta, then the taps of the flow gradient and of the divergence: x0, x1, y0, y1


@triton.jit(
    do_not_specialize=['last', 'num_iters', 'first_plane', 'num_planes', 'total_planes'],
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
    history_ptr,  # (total iterations - 1, 6, num_planes, H, W) float32: the states after them
    adjoint_in_ptr,  # (6, num_planes, H, W) float32: gradients of the state; read where not FIRST
    adjoint_out_ptr,  # (6, num_planes, H, W) float32; written where STORE_ADJOINT
    terms_ptr,  # (3, N*C*(T-1), H, W) float32: gradients of g_x, g_y and rho_c; added to where not FIRST
    sums_ptr,  # (11, tiles, N*C*(T-1)) float32: this launch's part of the sums
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
):
    """The adjoint of iteration ``last`` (counted from 0) and of the ``num_iters - 1`` before it."""
    PIXELS: tl.constexpr = ROWS * PHASES
    local, valid, y0, x0, owned = tile_position(
        num_planes, tiles_y, tiles_x, height, width, ROWS, PHASES, STRIPS, LANES, HALO
    )
    plane = (first_plane + local).to(tl.int64)
    channel, clip, pair = plane // num_pairs % channels, plane // (num_pairs * channels), plane % num_pairs
    theta, lam, tau = (
        tl.load(theta_ptr).to(tl.float32),
        tl.load(lam_ptr).to(tl.float32),
        tl.load(tau_ptr).to(tl.float32),
    )
    limit, rate = lam * theta, tau / theta
    image_taps = load_taps(image_ptr + channel * 9, channels * 9, valid, 9)
    flow_taps = load_taps(flow_ptr + channel * 2, channels * 2, valid, 2)
    div_taps = load_taps(div_ptr + channel * 2, channels * 2, valid, 2)
    frame = x_ptr + (clip * stride_n + channel * stride_c + pair * stride_t)
    first = load_frame(frame, y0, x0, valid, height, width, stride_h, stride_w, ROWS, PHASES)
    second = load_frame(frame + stride_t, y0, x0, valid, height, width, stride_h, stride_w, ROWS, PHASES)
    grad_x, grad_y, rho_c = image_terms(first, second, image_taps, y0, x0, valid, height, width, ROWS, PHASES, STRIPS)
    inverse = inverse_norm(grad_x, grad_y, PIXELS)

    size = height.to(tl.int64) * width
    base = local.to(tl.int64) * size
    field_stride = num_planes * size
    terms_base, terms_stride = plane * size, total_planes * size
    if FIRST:
        u_base = (plane + clip * channels * num_pairs) * size  # x-components; the y-components lie C * (T-1) planes on
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
    # The gradients of limit, rate and theta, then of the taps of the flow gradient and of the divergence.
    scalars, flow_sums, div_sums = zero_sums(3, STRIPS), zero_sums(4, STRIPS), zero_sums(4, STRIPS)

    for step in range(num_iters):
        before = last - step - 1
        # Before the first iteration the state is 0: all of the load is masked.
        u_x, u_y, p_xx, p_xy, p_yx, p_yy = load_state(
            history_ptr,
            base + before * 6 * field_stride,
            field_stride,
            y0,
            x0,
            valid & (before >= 0),
            height,
            width,
            ROWS,
            PHASES,
        )
        div_x = divergence(p_xx, p_xy, div_taps, y0, x0, ROWS, PHASES, STRIPS)
        div_y = divergence(p_yx, p_yy, div_taps, y0, x0, ROWS, PHASES, STRIPS)
        new_x, new_y = descend(u_x, u_y, div_x, div_y, grad_x, grad_y, rho_c, inverse, limit, theta, PIXELS)

        limit_sum, rate_sum, theta_sum = scalars
        bar_xx, bar_xy, along_x, along_y, rate_terms = ascent_adjoint(
            new_x, p_xx, p_xy, bar_xx, bar_xy, rate, flow_taps, y0, x0, height, width, ROWS, PHASES, STRIPS
        )
        rate_sum = add_terms(rate_sum, rate_terms, y0, x0, owned, PIXELS, PHASES, HALO)
        flow_sums = add_flow_terms(
            flow_sums, new_x, along_x, along_y, y0, x0, height, width, owned, ROWS, PHASES, STRIPS, HALO
        )
        along_x = difference_adjoint(along_x, along_y, flow_taps, y0, x0, ROWS, PHASES, STRIPS)
        bar_x = add_fields(bar_x, along_x, PIXELS)
        bar_yx, bar_yy, along_x, along_y, rate_terms = ascent_adjoint(
            new_y, p_yx, p_yy, bar_yx, bar_yy, rate, flow_taps, y0, x0, height, width, ROWS, PHASES, STRIPS
        )
        rate_sum = add_terms(rate_sum, rate_terms, y0, x0, owned, PIXELS, PHASES, HALO)
        flow_sums = add_flow_terms(
            flow_sums, new_y, along_x, along_y, y0, x0, height, width, owned, ROWS, PHASES, STRIPS, HALO
        )
        along_x = difference_adjoint(along_x, along_y, flow_taps, y0, x0, ROWS, PHASES, STRIPS)
        bar_y = add_fields(bar_y, along_x, PIXELS)

        terms = product_terms(bar_x, div_x, bar_y, div_y, PIXELS)
        theta_sum = add_terms(theta_sum, terms, y0, x0, owned, PIXELS, PHASES, HALO)
        div_sums = add_divergence_terms(div_sums, bar_x, p_xx, p_xy, y0, x0, owned, ROWS, PHASES, STRIPS, HALO)
        div_sums = add_divergence_terms(div_sums, bar_y, p_yx, p_yy, y0, x0, owned, ROWS, PHASES, STRIPS, HALO)
        along_x, along_y = divergence_adjoint(
            scale_field(bar_x, theta, PIXELS), div_taps, y0, x0, height, width, ROWS, PHASES, STRIPS
        )
        bar_xx, bar_xy = add_fields(bar_xx, along_x, PIXELS), add_fields(bar_xy, along_y, PIXELS)
        along_x, along_y = divergence_adjoint(
            scale_field(bar_y, theta, PIXELS), div_taps, y0, x0, height, width, ROWS, PHASES, STRIPS
        )
        bar_yx, bar_yy = add_fields(bar_yx, along_x, PIXELS), add_fields(bar_yy, along_y, PIXELS)

        bar_x, bar_y, grad_bar_x, grad_bar_y, rho_bar, limit_terms = descent_adjoint(
            u_x, u_y, bar_x, bar_y, grad_x, grad_y, rho_c, inverse, limit, grad_bar_x, grad_bar_y, rho_bar, PIXELS
        )
        limit_sum = add_terms(limit_sum, limit_terms, y0, x0, owned, PIXELS, PHASES, HALO)
        scalars = (limit_sum, rate_sum, theta_sum)

    store_field(terms_ptr, terms_base, grad_bar_x, y0, x0, valid, owned, width, ROWS, PHASES)
    store_field(terms_ptr, terms_base + terms_stride, grad_bar_y, y0, x0, valid, owned, width, ROWS, PHASES)
    store_field(terms_ptr, terms_base + 2 * terms_stride, rho_bar, y0, x0, valid, owned, width, ROWS, PHASES)
    if STORE_ADJOINT:
        state = (bar_x, bar_y, bar_xx, bar_xy, bar_yx, bar_yy)
        store_state(adjoint_out_ptr, base, field_stride, state, y0, x0, valid, owned, width, ROWS, PHASES)
    sums = scalars + flow_sums + div_sums
    tiles, tile = tiles_y * tiles_x, tl.program_id(0) % (tiles_y * tiles_x)
    group = tl.program_id(0) // tiles * (WARP // LANES) + tl.arange(0, WARP // LANES)
    for k in tl.static_range(11):
        by_plane = tl.sum(tl.reshape(tl.sum(sums[k], axis=0), (WARP // LANES, LANES)), axis=1)
        target = sums_ptr + (k * tiles + tile).to(tl.int64) * total_planes + first_plane + group
        tl.store(target, by_plane, mask=group < num_planes)


def _fill_history(x, settings, tile, history, first_plane) -> None:
    """Compute the states after each iteration but the last again, into history (num_iters - 1, 6, planes, H, W)."""
    total, _, num_planes = history.shape[:3]
    step = tile.halo - FORWARD_RIM if tile.halo else max(total, 1)
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
    theta, lam, tau, image_kernel, flow_kernel, div_kernel = settings
    num_iters, num_planes = history.shape[0] + 1, history.shape[2]
    height, width = x.shape[3:]
    tiles_y, tiles_x = tile.count(height, width)
    step = -(-num_iters // len(sums))
    adjoints = [x.new_empty(history.shape[1:], dtype=torch.float32) for _ in range(2 if len(sums) > 1 else 0)]
    adjoint = None
    for launch, done in enumerate(range(0, num_iters, step)):
        target = adjoints[launch % 2] if done + step < num_iters else None
        rep_flow_bwd_kernel[(tile.programs(num_planes, height, width),)](
            grad_u_ptr=grad_u,
            x_ptr=x,
            theta_ptr=theta,
            lam_ptr=lam,
            tau_ptr=tau,
            image_ptr=image_kernel,
            flow_ptr=flow_kernel,
            div_ptr=div_kernel,
            history_ptr=history,
            adjoint_in_ptr=adjoint,
            adjoint_out_ptr=target,
            terms_ptr=terms,
            sums_ptr=sums[launch],
            last=num_iters - 1 - done,
            num_iters=min(step, num_iters - done),
            first_plane=first_plane,
            num_planes=num_planes,
            total_planes=terms.shape[1],
            tiles_y=tiles_y,
            tiles_x=tiles_x,
            FIRST=launch == 0,
            STORE_ADJOINT=target is not None,
            num_warps=tile.strips,
            **plane_strides(x),
            **tile.constants(),
        )
        adjoint = target


def _parameter_gradients(sums: Tensor, theta: Tensor, lam: Tensor, tau: Tensor) -> tuple[Tensor, ...]:
    """Gradients of theta, lam, tau, flow_kernel and div_kernel in float64 from sums (11, C)."""
    limit_bar, rate_bar, theta_bar = sums[:3].sum(1)
    theta, lam, tau = theta.double(), lam.double(), tau.double()
    theta_bar = theta_bar + limit_bar * lam - rate_bar * tau / theta**2
    flow_taps, div_taps = sums[3:].view(2, 2, 2, -1).transpose(2, 3)  # (2, 2, C, 2): stencil, axis, channel, tap
    return theta_bar, limit_bar * theta, rate_bar / theta, flow_taps, theta * div_taps


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
    time as fit ``SCRATCH_BYTES`` of device memory (at least one). The arithmetic is float32 and the last sums are
    float64, whatever the dtypes.

    Args:
        grad_u (Tensor): Gradient of u, (N, 2C, T-1, H, W).
        x (Tensor): Features (N, C, T, H, W), float32, float16 or bfloat16, any strides.
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
        argument's shape and dtype.
    """
    inputs = (x, theta, lam, tau, image_kernel, flow_kernel, div_kernel)
    n, c, t, h, w = x.shape
    num_planes = n * c * (t - 1)
    if num_planes == 0 or num_iters == 0:
        return tuple(torch.zeros_like(tensor) for tensor in inputs)
    grad_u, settings = grad_u.contiguous(), tuple(tensor.contiguous() for tensor in inputs[1:])
    tile = tile or choose_tile(h, w, *BACKWARD_PIXELS)
    step = tile.halo - BACKWARD_RIM if tile.halo else num_iters
    terms = x.new_empty((3, num_planes, h, w), dtype=torch.float32)
    sums = x.new_empty(
        (triton.cdiv(num_iters, step), NUM_SUMS, math.prod(tile.count(h, w)), num_planes), dtype=torch.float32
    )
    states = num_iters - 1 + (2 if tile.halo else 0)
    with on_device(x):
        for first_plane, planes in plane_chunks(num_planes, bytes_per_plane=states * COMPONENTS * 4 * h * w):
            history = x.new_empty((num_iters - 1, COMPONENTS, planes, h, w), dtype=torch.float32)
            _fill_history(x, settings, tile, history, first_plane)
            _launch_backward(grad_u, x, settings, tile, history, terms, sums, first_plane)
        grad_x, image_bar = frame_gradients(x, settings[3], terms)
    by_channel = sums.sum((0, 2), dtype=torch.float64).view(NUM_SUMS, n, c, t - 1).sum((1, 3))  # (11, C)
    theta_bar, lam_bar, tau_bar, flow_bar, div_bar = _parameter_gradients(by_channel, *settings[:3])
    gradients = (grad_x, theta_bar, lam_bar, tau_bar, image_bar, flow_bar, div_bar)
    return tuple(gradient.to(tensor.dtype).contiguous() for gradient, tensor in zip(gradients, inputs))
