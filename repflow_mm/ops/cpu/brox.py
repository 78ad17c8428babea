"""Brox flow at one level of the pyramid by the fused CPU solver."""

from __future__ import annotations

from torch import Tensor

from repflow_mm.ops.brox_parameters import BroxParameters
from repflow_mm.ops.brox_reference import EPSILON, RELAXATION
from repflow_mm.ops.cpu import levels

COUNTS = ('inner_iterations', 'solver_iterations')
NUMBERS = ('alpha', 'gamma')
CONSTANTS = dict(epsilon=EPSILON, relaxation=RELAXATION)
# The twin of ``brox_level`` in csrc/brox_problem.h.
LEVEL = levels.level_structure(COUNTS, (*NUMBERS, *CONSTANTS))


def solve_level(images: Tensor, u: Tensor, parameters: BroxParameters) -> Tensor:
    """What :func:`repflow_mm.ops.brox_reference.solve_level_ref` specifies, a pair after the other on every thread.

    Args:
        images (Tensor): (N, 2, H, W), float32 or float64, on the CPU.
        u (Tensor): (N, 2, H, W), of the same dtype.
        parameters (BroxParameters): The method's parameters.

    Returns:
        Tensor: u, (N, 2, H, W). Not differentiable.
    """
    values = {name: getattr(parameters, name) for name in (*COUNTS, *NUMBERS)}
    return levels.solve_level('brox_level', LEVEL, images, u, {**values, **CONSTANTS})
