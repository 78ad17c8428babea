"""TV-L1 flow at one level of the pyramid by the fused CPU solver."""

from __future__ import annotations

from torch import Tensor

from repflow_mm.ops.compiler import run_eagerly
from repflow_mm.ops.cpu import levels
from repflow_mm.ops.tvl1_parameters import TVL1Parameters

COUNTS = ('num_warps', 'inner_iters', 'outer_iters', 'median_filter')
NUMBERS = ('tau', 'lam', 'theta', 'epsilon')
# The twin of ``tvl1_level`` in csrc/tvl1_problem.h.
LEVEL = levels.level_structure(COUNTS, NUMBERS)


@run_eagerly
def solve_level(images: Tensor, u: Tensor, parameters: TVL1Parameters) -> Tensor:
    """What :func:`repflow_mm.ops.tvl1_reference.solve_level_ref` specifies, a pair after the other on every thread.

    Args:
        images (Tensor): (N, 2, H, W), float32 or float64, on the CPU.
        u (Tensor): (N, 2, H, W), of the same dtype.
        parameters (TVL1Parameters): The method's parameters.

    Returns:
        Tensor: u, (N, 2, H, W). Not differentiable.
    """
    values = {name: getattr(parameters, name) for name in (*COUNTS, *NUMBERS)}
    return levels.solve_level('tvl1_level', LEVEL, images, u, values)
