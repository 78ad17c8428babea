"""The parameters of TV-L1 flow, checked once for every backend."""

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

MEDIAN_FILTERS = (1, 3, 5)


@dataclass(frozen=True)
class TVL1Parameters:
    """What :func:`repflow_mm.ops.tvl1_flow` takes besides the images; its docstring says what they mean.

    Raises:
        TypeError: If a value is no number, or a count no integer.
        ValueError: If a value is out of range.
    """

    tau: float = 0.25
    lam: float = 0.15
    theta: float = 0.3
    num_scales: int = 5
    scale_factor: float = 0.8
    num_warps: int = 5
    inner_iters: int = 30
    outer_iters: int = 10
    epsilon: float = 0.01
    median_filter: int = 5

    def __post_init__(self):
        for name in ('tau', 'lam', 'theta', 'scale_factor', 'epsilon'):
            check_finite(name, getattr(self, name))
        for name in ('num_scales', 'num_warps', 'inner_iters', 'outer_iters', 'median_filter'):
            check_count(name, getattr(self, name), largest=MOST_ITERATIONS)
        # A level of the pyramid is one call, which cannot be interrupted.
        iterations = self.num_warps * self.inner_iters * self.outer_iters
        if iterations > MOST_AT_A_LEVEL:
            raise ValueError(f'num_warps * inner_iters * outer_iters must be <= {MOST_AT_A_LEVEL}, got {iterations}')
        for name in ('tau', 'lam', 'theta'):
            check_positive(name, getattr(self, name))
        if self.epsilon < 0:
            raise ValueError(f'epsilon must be >= 0, got {self.epsilon}')
        check_fraction('scale_factor', self.scale_factor)
        if self.median_filter not in MEDIAN_FILTERS:
            raise ValueError(f'median_filter must be one of {MEDIAN_FILTERS}, got {self.median_filter}')

    def tolerance(self, height: int, width: int) -> float:
        """The sum of squared changes of u in one iteration that ends a warp."""
        return self.epsilon * self.epsilon * height * width
