"""Pairs of images, backends and parameters for the tests of TV-L1 and Brox flow."""

import pytest
import torch

from repflow_mm.ops import brox_flow, tvl1_flow
from repflow_mm.ops.cpu import operator as cpu
from repflow_mm.testing.warps import random_pattern

needs_compiler = pytest.mark.skipif(bool(cpu.unsupported_reasons(torch.empty(1))), reason='no C compiler')
BACKENDS = [pytest.param('cpu', marks=needs_compiler), 'reference']
# Parameters few enough for the reference, and for rounding not to be amplified where the flow is ambiguous.
FEW = {
    tvl1_flow: dict(num_scales=2, num_warps=2),
    brox_flow: dict(outer_iterations=3, inner_iterations=2, solver_iterations=4),
}


def moved_pair(u_x, u_y, height=40, width=48, seed=0):
    """Two images (1, 1, H, W), the second the first moved by (u_x, u_y), sampled anew."""
    pattern = random_pattern(torch.Generator().manual_seed(seed))
    y, x = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing='ij')
    return tuple(pattern(x - shift_x, y - shift_y)[None, None] for shift_x, shift_y in ((0, 0), (u_x, u_y)))


def noise_pair(n=2, height=20, width=21, channels=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    smooth = torch.rand((2 * n, channels, height // 4 + 2, width // 4 + 2), generator=generator, dtype=torch.float64)
    images = torch.nn.functional.interpolate(smooth, size=(height, width), mode='bilinear') * 240
    images = images + 15 * torch.rand(images.shape, generator=generator, dtype=torch.float64)
    return images.split(n)
