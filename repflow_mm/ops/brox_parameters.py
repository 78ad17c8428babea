"""The parameters of Brox flow, checked once for every backend."""

from __future__ import annotations

from dataclasses import dataclass

from repflow_mm.ops.arguments import (
    MOST_AT_A_LEVEL,
    MOST_ITERATIONS,
    check_count,
    check_finite,
    check_fraction,
    check_positive,
)


@dataclass(frozen=True)
class BroxParameters:
    """What :func:`repflow_mm.ops.brox_flow` takes besides the images; its docstring says what they mean.

    Raises:
        TypeError: If a value is no number, or a count no integer.
        ValueError: If a value is out of range.
    """

    alpha: float = 0.197
    gamma: float = 50.0
    scale_factor: float = 0.8
    inner_iterations: int = 5
    outer_iterations: int = 150
    solver_iterations: int = 10

    def __post_init__(self):
        for name in ('alpha', 'gamma', 'scale_factor'):
            check_finite(name, getattr(self, name))
        for name in ('inner_iterations', 'outer_iterations', 'solver_iterations'):
            check_count(name, getattr(self, name), largest=MOST_ITERATIONS)
        # A level of the pyramid is one call, which cannot be interrupted.
        sweeps = self.inner_iterations * self.solver_iterations
        if sweeps > MOST_AT_A_LEVEL:
            raise ValueError(f'inner_iterations * solver_iterations must be <= {MOST_AT_A_LEVEL}, got {sweeps}')
        check_positive('alpha', self.alpha)
        if self.gamma < 0:
            raise ValueError(f'gamma must be >= 0, got {self.gamma}')
        check_fraction('scale_factor', self.scale_factor)
