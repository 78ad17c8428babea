"""Limits by hand, and the operations against an independent count: what element-wise operators of torch put out."""

from collections import Counter

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from repflow_mm.ops import limits, rep_flow_ref

# One clip of two channels, three frames of 4 x 5: 2 pairs, 2 * 2 * 20 = 80 pixels.
SHAPE = (1, 2, 3, 4, 5)


def test_pixels():
    assert limits.count_pixels(SHAPE) == 80


def test_memory_limit():
    # 80 pixels * (2 read + 2 written) * 4 bytes = 1280 bytes, at 640 bytes a second.
    assert limits.memory_limit(SHAPE, bytes_per_second=640.0) == pytest.approx(2.0)
    assert limits.memory_limit(SHAPE, bytes_per_second=640.0, element_size=2) == pytest.approx(1.0)


def test_arithmetic_limit():
    # 80 pixels * 10 iterations * 69 = 55200 operations.
    assert limits.arithmetic_limit(SHAPE, 10, flops_per_second=5520.0) == pytest.approx(10.0)


def test_peak_flops():
    assert limits.peak_flops(num_processors=2, lanes=16, clock_hz=3e9) == pytest.approx(1.92e11)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r'shape must be \(N, C, T, H, W\), got \(2, 3\)'):
        limits.count_pixels((2, 3))


# Operations an element of the output, or for `sum` of the input; a clamp is a minimum and a maximum.
COSTS = dict(add=1, sub=1, rsub=1, mul=1, div=1, neg=1, pow=1, sqrt=1, clamp=2, sum=1, floor=1, le=1, ge=1)


class ElementwiseCount(TorchDispatchMode):
    """Operations on planes by operator; those on ``smallest`` elements or fewer, scalars and taps, are left out."""

    def __init__(self, smallest=9):
        super().__init__()
        self.counts, self.smallest = Counter(), smallest

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        output = function(*args, **(kwargs or {}))
        name = function.__name__.split('.')[0].rstrip('_')
        if name == 'convolution':
            # As torch's counter has it: a multiplication and an addition for each tap.
            self.counts[name] += 2 * args[1][0].numel() * output.numel()
        elif name in COSTS:
            counted = args[0] if name == 'sum' else output
            self.counts[name] += COSTS[name] * counted.numel() * (counted.numel() > self.smallest)
        return output

    @property
    def total(self):
        return sum(self.counts.values())


def count(function):
    with ElementwiseCount() as mode, torch.no_grad():
        function()
    return mode.total


def reference_operations(height, width, num_iters, pairs=2, channels=3):
    x = torch.rand(1, channels, pairs + 1, height, width) * 255
    return count(lambda: rep_flow_ref(x, 0.3, 0.15, 0.25, num_iters=num_iters)) / (pairs * channels)


def iteration_of_the_reference(height, width):
    """The reference divides by the norm of p twice, where a backend multiplies twice by one reciprocal, for either
    component, and changes rho's sign. Where the flow gradient is 0 for want of a neighbour it computes none."""
    pixel = limits.FLOPS_PER_PIXEL_ITERATION - 2 + 1
    return height * width * pixel - 2 * 3 * (height + width)


@pytest.mark.parametrize('size', [(9, 12), (16, 10)], ids=str)
def test_iterations_of_the_representation_flow(size):
    found = reference_operations(*size, num_iters=5) - reference_operations(*size, num_iters=3)
    assert found == 2 * iteration_of_the_reference(*size)


def test_what_the_iterations_keep_fixed():
    height, width = 9, 12
    # Without a reciprocal, which the iterations' divisions make up for; with the one-sided differences of the border.
    expected = height * width * (limits.FLOPS_PER_PIXEL - 1) + 2 * 2 * (height + width)
    assert reference_operations(height, width, num_iters=0) == expected


def test_solve():
    shape = (2, 3, 4, 5, 6)
    assert limits.count_operations(shape, 10) == 2 * 3 * 3 * 5 * 6 * (42 + 690)
