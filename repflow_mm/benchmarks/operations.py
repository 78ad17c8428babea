"""Operations of networks and of the flow solvers.

An addition, multiplication, division, root, minimum, maximum or comparison is one operation, a multiply-add two, as
torch's counter has it. That counter sees convolutions and matrix products alone: the rest of a network (norms,
activations, pooling) is left out, and what the solvers do is counted here and in ``repflow_mm/ops/limits.py``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from repflow_mm.models import RepresentationFlow
from repflow_mm.ops.image_pairs import pyramid_sizes
from repflow_mm.ops.limits import FLOPS_PER_PIXEL_ITERATION, count_operations
from repflow_mm.ops.tvl1 import LevelWork
from repflow_mm.ops.tvl1_parameters import TVL1Parameters

# TV-L1, one pixel of a level (see "TV-L1 flow of image pairs" in repflow_mm/ops/README.md).
# The weights of cubic convolution for one axis, with t and s = 1 - t: a t s s (3), ((a + 2) t - (a + 3)) t t + 1 (5),
# and the same two with t and s exchanged (8), and s (1).
CUBIC_WEIGHTS = 17
# One value out of 4 x 4: a row has 4 multiplications and 3 additions, and so has the sum of the four rows.
CUBIC_SAMPLE = 5 * 7
# Once a level, of both images: resampling from the finer level, whose weights are those of a row or a column.
PYRAMID = 2 * CUBIC_SAMPLE
# Once a level, of both components of u: 3 means of two values (2 multiplications, 1 addition), and the ratio of sizes.
ENLARGED_FLOW = 2 * (3 * 3 + 1)
# Once a level, along both axes: a subtraction and a halving.
CENTRAL_DIFFERENCE = 2 * 2
# Once a warp: the place x + u (2 additions), whether it is inside (4 comparisons), its fractions (2 roundings,
# 2 subtractions), the weights for both axes, the samples of the image and its gradient, rho_c (2 multiplications,
# 3 additions or subtractions), and 1 / (|g|^2 + eps) (2 squares, 2 additions, 1 reciprocal).
WARP = 2 + 4 + 4 + 2 * CUBIC_WEIGHTS + 3 * CUBIC_SAMPLE + 5 + 5
# In each iteration, of both components: the change's square and its sum (subtraction, multiplication, addition).
MEASURED_CHANGE = 2 * 3
# One median by the networks of csrc/median.h, a minimum and a maximum for each exchange: the column is sorted, then the
# three or five rows of columns, then the median of what is left.
EXCHANGES = {1: 0, 3: 3 + 3 * 3 + 3, 5: 9 + 5 * 9 + 39}


def network_operations(network: nn.Module, shape: Sequence[int]) -> tuple[int, int]:
    """Operations of a network's forward pass, on the 'meta' device, so that nothing is computed.

    Args:
        network (nn.Module): A network, with :class:`repflow_mm.models.RepresentationFlow` layers or without.
        shape (Sequence[int]): Shape of its input.

    Returns:
        tuple[int, int]: Those of convolutions and matrix products, and those of the flow layers.
    """
    network = copy.deepcopy(network).to('meta')
    solved = []
    for module in network.modules():
        if isinstance(module, RepresentationFlow):
            # A backend may be made of convolutions, which the counter would add to the network's.
            module.forward = _counting_forward(module, solved)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.empty(tuple(shape), device='meta'))
    return counter.get_total_flops(), sum(solved)


def _counting_forward(layer: RepresentationFlow, solved: list[int]) -> Callable[[Tensor], Tensor]:
    def forward(x: Tensor) -> Tensor:
        solved.append(count_operations(x.shape, layer.num_iters))
        n, c, t, h, w = x.shape
        return x.new_empty((n, 2 * c, t - 1, h, w))

    return forward


def tvl1_operations(work: Sequence[LevelWork], parameters: TVL1Parameters) -> int:
    """Operations of TV-L1 flow, on grey images, for the work that was done.

    Args:
        work (Sequence[LevelWork]): The levels, the coarsest first, as
            :func:`repflow_mm.ops.tvl1.count_tvl1_work` gives them.
        parameters (TVL1Parameters): What it was done with.

    Returns:
        int: Over all pairs and levels.
    """
    total = 0
    for number, level in enumerate(work):
        rounds, iterations = level.counts.sum(dim=0).tolist()
        fixed = CENTRAL_DIFFERENCE + parameters.num_warps * WARP
        fixed += ENLARGED_FLOW * (number > 0) + PYRAMID * (number < len(work) - 1)
        medians = 2 * 2 * EXCHANGES[parameters.median_filter]
        pixel = len(level.counts) * fixed + rounds * medians
        pixel += iterations * (FLOPS_PER_PIXEL_ITERATION + MEASURED_CHANGE)
        total += level.height * level.width * pixel
    return total


def most_tvl1_work(height: int, width: int, pairs: int, parameters: TVL1Parameters) -> list[LevelWork]:
    """The work on pairs of a size if no warp ends before its last iteration."""
    rounds = parameters.num_warps * parameters.outer_iters
    counts = torch.tensor([[rounds, rounds * parameters.inner_iters]] * pairs)  # (N, 2)
    sizes = pyramid_sizes(height, width, parameters.num_scales, parameters.scale_factor)
    return [LevelWork(*size, counts) for size in reversed(sizes)]
