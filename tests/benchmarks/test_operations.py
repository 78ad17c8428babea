"""Counted operations against an independent count: elements that element-wise operators of torch put out."""

import re
from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from helpers import ROOT
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from repflow_mm.benchmarks import operations
from repflow_mm.benchmarks.models import FCF, REP_FLOW, build_network
from repflow_mm.benchmarks.warps import draw_batch
from repflow_mm.ops import limits, rep_flow_ref
from repflow_mm.ops.tvl1 import LevelWork, tvl1_flow
from repflow_mm.ops.tvl1_parameters import TVL1Parameters

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


@pytest.mark.parametrize('flow', [None, REP_FLOW, FCF], ids=['RGB', 'RepFlow', 'FcF'])
def test_networks(flow):
    network = build_network(18, 4, flow, 'cpu')
    shape = (1, 3, 4, 32, 48)
    outside, inside = operations.network_operations(network, shape)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.rand(shape))
    solvers = {name: c for name, c in counter.get_flop_counts().items() if re.search(r'steps\.flow\d$', name)}
    assert outside == counter.get_total_flops() - sum(sum(c.values()) for c in solvers.values()) > 0
    # The map after block 3 is an eighth of the frame; FcF solves the flow of the flow as well.
    pairs = {None: 0, 'none': 3, 'add': 3 + 2}[flow and flow.get('fusion', 'none')]
    assert inside == 32 * pairs * 4 * 6 * (42 + 20 * 69)


def test_counting_leaves_the_network_as_it_was():
    network = build_network(18, 4, REP_FLOW, 'cpu')
    x = torch.rand(1, 3, 4, 32, 32)
    with torch.no_grad():
        before = network(x)
        operations.network_operations(network, x.shape)
        assert torch.equal(network(x), before)


class TestTVL1:
    def test_iterations(self):
        """One iteration more, and with it the measure of its change, for two pairs."""
        pair = [image.double() for image in draw_batch(20, 2)[:2]]
        fixed = dict(num_scales=1, num_warps=1, outer_iters=1, epsilon=0.0, median_filter=1, backend='reference')
        counts = [count(lambda n=n: tvl1_flow(*pair, inner_iters=n, **fixed)) for n in (2, 3)]
        assert counts[1] - counts[0] == 2 * (iteration_of_the_reference(20, 20) + 400 * operations.MEASURED_CHANGE)

    def test_cubic_convolution(self):
        """Written out by hand it gives grid_sample's values with as many operations as are counted."""
        image = torch.rand(1, 1, 12, 14, dtype=torch.float64)
        x, y = 2 + 8 * torch.rand(30, dtype=torch.float64), 2 + 6 * torch.rand(30, dtype=torch.float64)
        t_x, t_y = x - x.floor(), y - y.floor()
        with ElementwiseCount() as weighing:
            weights = cubic_weights(t_x), cubic_weights(t_y)
        assert weighing.total == 30 * 2 * operations.CUBIC_WEIGHTS
        values = [[image[0, 0][y.long() + j - 1, x.long() + i - 1] for i in range(4)] for j in range(4)]
        with ElementwiseCount() as sampling:
            found = weighted([weighted(row, weights[0]) for row in values], weights[1])
        assert sampling.total == 30 * operations.CUBIC_SAMPLE
        grid = torch.stack((2 * x / 13 - 1, 2 * y / 11 - 1), dim=1)[None, None]  # (1, 1, 30, 2)
        assert_close(found, F.grid_sample(image, grid, mode='bicubic', align_corners=True)[0, 0, 0])

    def test_median_networks_are_those_of_the_source(self):
        text = (ROOT / 'repflow_mm' / 'ops' / 'csrc' / 'median.h').read_text()
        bodies = re.findall(r'INLINE \w+ NAME\((\w+)\)(.*?)\n}', text, re.DOTALL)
        direct = {name: body.count('SORT(') for name, body in bodies}
        calls = {name: re.findall(r'NAME\((sort_\d|median_13)\)', body) for name, body in bodies}
        total = {name: direct[name] + sum(direct[called] for called in calls[name]) for name in direct}
        assert operations.EXCHANGES[3] == total['sort_column_3'] + total['median_9']
        assert operations.EXCHANGES[5] == total['sort_column_5'] + total['median_25']

    def test_sum_over_levels_and_pairs(self):
        """By hand: two pairs on levels of 16x20 and 20x25 pixels, two warps."""
        parameters = TVL1Parameters(num_scales=2, num_warps=2, median_filter=3)
        coarse = LevelWork(16, 20, torch.tensor([[2, 10], [3, 20]]))
        fine = LevelWork(20, 25, torch.tensor([[2, 4], [2, 5]]))
        warp = 2 + 4 + 4 + 34 + 105 + 5 + 5
        expected = 320 * (2 * (4 + 2 * warp + 70) + 5 * 2 * 30 + 30 * 75)
        expected += 500 * (2 * (4 + 2 * warp + 20) + 4 * 2 * 30 + 9 * 75)
        assert operations.tvl1_operations([coarse, fine], parameters) == expected

    def test_the_most(self):
        parameters = TVL1Parameters(num_scales=3, num_warps=2, outer_iters=3, inner_iters=4)
        work = operations.most_tvl1_work(20, 40, 2, parameters)
        assert [level[:2] for level in work] == [(16, 32), (20, 40)]
        assert all(level.counts.tolist() == [[6, 24]] * 2 for level in work)


def cubic_weights(t):
    a, s = -0.75, 1 - t
    inner = (((a + 2) * f - (a + 3)) * f * f + 1 for f in (t, s))
    return [a * t * s * s, *inner, a * s * t * t]


def weighted(values, weights):
    products = [value * weight for value, weight in zip(values, weights)]
    return products[0] + products[1] + products[2] + products[3]
