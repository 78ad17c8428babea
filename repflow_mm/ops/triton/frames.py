"""Last part of the Triton backward pass: from the gradients of a pair's terms to those of its frames."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from repflow_mm.ops.triton.forward import SHAPE, plane_strides
from repflow_mm.ops.triton.tile_choice import ceil_div

BLOCK_PIXELS = 256


@triton.jit(do_not_specialize=['total_frames', 'blocks', *SHAPE], do_not_specialize_on_alignment=['x_ptr'])
def frame_bwd_kernel(
    x_ptr,  # (N, C, T, H, W), any strides
    image_ptr,  # (2, C, 3, 3)
    terms_ptr,  # (3, N*C*(T-1), H, W): gradients of g_x, g_y and rho_c
    grad_x_ptr,  # (N, C, T, H, W)
    sums_ptr,  # (18, blocks, N*C*T): parts of the gradient of image_kernel
    total_frames,
    channels,
    num_pairs,
    height,
    width,
    stride_n,
    stride_c,
    stride_t,
    stride_h,
    stride_w,
    blocks,
    BLOCK: tl.constexpr,
):
    """Gradient of a block of a frame's pixels: as the second frame of one pair and as the first of the next."""
    block, frame = tl.program_id(0) % blocks, (tl.program_id(0) // blocks).to(tl.int64)
    time, row = frame % (num_pairs + 1), frame // (num_pairs + 1)
    channel, clip = row % channels, row // channels
    size = height.to(tl.int64) * width
    pixel = block.to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    y, x = pixel // width, pixel % width
    as_first, as_second = (pixel < size) & (time < num_pairs), (pixel < size) & (time > 0)
    terms_stride = total_frames // (num_pairs + 1) * num_pairs * size
    first_ptr = terms_ptr + (row * num_pairs + time) * size
    second_ptr = first_ptr - size

    x_offset = clip * stride_n + channel * stride_c + time * stride_t + y * stride_h + x * stride_w
    value = tl.load(x_ptr + x_offset, mask=as_second, other=0.0)
    total = tl.load(second_ptr + 2 * terms_stride + pixel, mask=as_second, other=0.0)
    for k in tl.static_range(9):
        at_y, at_x = y + (1 - k // 3), x + (1 - k % 3)
        for axis in tl.static_range(2):
            if axis == 0:
                inside = (at_x > 0) & (at_x < width - 1) & (at_y >= 0) & (at_y < height)
            else:
                inside = (at_y > 0) & (at_y < height - 1) & (at_x >= 0) & (at_x < width)
            source = second_ptr + axis * terms_stride + at_y * width + at_x
            bar = tl.load(source, mask=as_second & inside, other=0.0)
            tap = tl.load(image_ptr + (axis * channels + channel) * 9 + k)
            total += tap * bar
            target = sums_ptr + ((axis * 9 + k) * blocks + block).to(tl.int64) * total_frames + frame
            tl.store(target, tl.sum(bar * value, axis=0))

    total -= tl.load(first_ptr + 2 * terms_stride + pixel, mask=as_first, other=0.0)
    # The one-sided differences at the borders: +1/2 at the outer end of the far one, -1/2 at its inner end, and so on.
    for axis in tl.static_range(2):
        position, extent, step = (x, width, 1) if axis == 0 else (y, height, width)
        line = first_ptr + axis * terms_stride + (pixel - position * step)
        near = (position == 1).to(tl.float32) - (position == 0).to(tl.float32)
        far = (position == extent - 1).to(tl.float32) - (position == extent - 2).to(tl.float32)
        total += 0.5 * near * tl.load(line, mask=as_first & (near != 0), other=0.0)
        total += 0.5 * far * tl.load(line + (extent - 1) * step, mask=as_first & (far != 0), other=0.0)
    tl.store(grad_x_ptr + frame * size + pixel, total, mask=pixel < size)


def frame_gradients(x: Tensor, image_kernel: Tensor, terms: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of x (N, C, T, H, W), and of image_kernel (2, C, 3, 3) in float64, from those of the pairs' terms."""
    n, c, t, h, w = x.shape
    grad_x = torch.empty_like(x, memory_format=torch.contiguous_format)
    blocks = ceil_div(h * w, BLOCK_PIXELS)
    sums = x.new_empty((18, blocks, n, c, t))
    frame_bwd_kernel[(blocks * n * c * t,)](
        x_ptr=x,
        image_ptr=image_kernel,
        terms_ptr=terms,
        grad_x_ptr=grad_x,
        sums_ptr=sums,
        total_frames=n * c * t,
        blocks=blocks,
        BLOCK=BLOCK_PIXELS,
        num_warps=4,
        enable_fp_fusion=True,
        **plane_strides(x),
    )
    taps = sums.sum((1, 2, 4), dtype=torch.float64)  # (18, C)
    return grad_x, taps.view(2, 3, 3, c).permute(0, 3, 1, 2)  # -> (2, C, 3, 3)
