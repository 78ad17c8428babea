"""Comparison of a fused backend with the float64 reference: output and every gradient.

A backend is right if its errors are those of float32 arithmetic, as the eager reference in float32 has them:

err(fast, ref64) <= 2 * err(eager, ref64) + 2 * eps * max|ref64|, the errors being medians over several draws. One draw
would not do: the error of a scalar's gradient is a single number that may happen to be close to zero, and where a pixel
comes close to a kink of the solver, the rounding of either implementation is amplified by orders of magnitude.

A backend that takes seconds for a draw, as one that is emulated, gets fewer draws than the reference. What chance does
to the median of few draws is then in the bound: the reference's draws are taken in groups of as many, and the largest
median counts.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import NamedTuple

import torch

from repflow_mm.ops import rep_flow_ref
from repflow_mm.ops.reference import kernels_or_defaults, scalars_like

NAMES = ('u', 'x', 'theta', 'lam', 'tau', 'image_kernel', 'flow_kernel', 'div_kernel')
DRAWS = 36

Solver = Callable[..., torch.Tensor]


class Case(NamedTuple):
    """Shape of x, iterations, scalars, whether the taps are random, and the tile of the Triton kernels.

    The tile is a ``Tile`` of :mod:`repflow_mm.ops.triton.tile_choice`; None leaves it to the backend.
    """

    shape: tuple[int, int, int, int, int]
    num_iters: int = 10
    theta: float = 0.3
    lam: float = 0.15
    tau: float = 0.25
    learned: bool = False
    tile: tuple[int, int, int, int, int] | None = None

    def __str__(self) -> str:
        n, c, t, h, w = self.shape
        taps = '-learned' if self.learned else ''
        scalars = f'theta{self.theta}-lam{self.lam}-tau{self.tau}'
        tile = '' if self.tile is None else '-tile' + 'x'.join(map(str, self.tile))
        return f'N{n}-C{c}-T{t}-H{h}-W{w}-iters{self.num_iters}-{scalars}{taps}{tile}'


class Comparison(NamedTuple):
    """What was compared (u, or the input that the gradient belongs to), its error, and the largest allowed one."""

    name: str
    error: float
    bound: float

    @property
    def holds(self) -> bool:
        """Whether the error is within the bound; NaN is not."""
        return self.error <= self.bound


CASES = (
    Case((1, 1, 2, 28, 28), 20),
    Case((1, 2, 3, 27, 29), 10, learned=True),
    Case((2, 1, 3, 7, 5), 50, learned=True),
    Case((1, 1, 2, 2, 2), 20, learned=True),
    Case((1, 1, 2, 16, 32), 1, learned=True),
    Case((1, 2, 2, 14, 14), 0),
    Case((1, 1, 2, 113, 120), 4, learned=True),
    Case((1, 1, 2, 16, 16), 20, theta=3.0, lam=1.0, tau=2.0),
    Case((1, 2, 3, 12, 17), 20, theta=1e-3, lam=1e-3, tau=1e-3),
    Case((1, 2, 2, 17, 12), 5, theta=0.01, lam=20.0, tau=0.05, learned=True),
)


def draw(case: Case, seed: int) -> tuple[list[torch.Tensor], torch.Tensor]:
    """The seven input tensors in float32, and a gradient of u."""
    generator = torch.Generator().manual_seed(seed)
    n, c, t, h, w = case.shape
    x = torch.rand(case.shape, generator=generator) * 255
    kernels = kernels_or_defaults(x, None, None, None)
    if case.learned:
        kernels = tuple(taps + 0.1 * torch.randn(taps.shape, generator=generator) for taps in kernels)
    grad_u = torch.randn((n, 2 * c, t - 1, h, w), generator=generator)
    return [x, *scalars_like(x, case.theta, case.lam, case.tau), *kernels], grad_u


def evaluate(
    solver: Solver, inputs: list[torch.Tensor], grad_u: torch.Tensor, num_iters: int, **options
) -> dict[str, torch.Tensor]:
    """Output u and the gradients of the seven inputs, by name."""
    inputs = [tensor.detach().clone().requires_grad_() for tensor in inputs]
    u = solver(*inputs, num_iters, **options)
    if u.requires_grad:
        grads = torch.autograd.grad(u, inputs, grad_u.to(u), allow_unused=True)
    else:
        grads = [None] * len(inputs)
    grads = [torch.zeros_like(i) if g is None else g for i, g in zip(inputs, grads)]
    return dict(zip(NAMES, (u.detach(), *grads)))


@contextlib.contextmanager
def threads(count: int):
    """Run with that many threads of torch; the eager reference's small operations are fastest with one."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@threads(1)
def parity_errors(
    solver: Solver, case: Case, device: str = 'cpu', draws: int = DRAWS, eager_draws: int | None = None
) -> dict[str, tuple[float, float, float]]:
    """For u and each gradient the solver's error, the eager reference's, and the largest value: medians over draws.

    Args:
        solver (Callable): Called as ``rep_flow_ref`` is, and differentiable.
        case (Case): What is solved.
        device (str): Where the solver runs; the reference runs on the CPU. Defaults to ``'cpu'``.
        draws (int): How often the solver runs, on other numbers each time. Defaults to 36.
        eager_draws (int, optional): How often the eager reference runs, at least ``draws``: of its groups of ``draws``
            the one with the largest median counts. Defaults to ``draws``.

    Raises:
        ValueError: If a result has another shape or dtype than the reference's, or is not finite.
    """
    errors, eager_errors, sizes = [], [], []
    for seed in range(eager_draws or draws):
        inputs, grad_u = draw(case, seed)
        exact, eager = _references(case._replace(tile=None), seed)
        eager_errors.append(_largest_differences(case, eager, exact))
        if seed < draws:
            fast = evaluate(solver, [tensor.to(device) for tensor in inputs], grad_u.to(device), case.num_iters)
            errors.append(_largest_differences(case, fast, exact))
            sizes.append(torch.stack([exact[name].abs().max() for name in NAMES]))
    groups = torch.stack(eager_errors)[: len(eager_errors) // draws * draws].unflatten(0, (-1, draws))
    eager_error = groups.median(dim=1).values.amax(dim=0)  # (groups, draws, names) -> (names,)
    medians = [torch.stack(values).median(dim=0).values for values in (errors, sizes)]
    return dict(zip(NAMES, zip(medians[0].tolist(), eager_error.tolist(), medians[1].tolist())))


@functools.lru_cache(maxsize=4 * DRAWS)
def _references(case: Case, seed: int) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """What the eager reference makes of a draw in float64 and in float32; kept for the next solver of the same case."""
    inputs, grad_u = draw(case, seed)
    doubled = [tensor.double() for tensor in inputs]
    exact, eager = (evaluate(rep_flow_ref, given, grad_u, case.num_iters) for given in (doubled, inputs))
    return exact, eager


def _largest_differences(case: Case, actual: dict[str, torch.Tensor], exact: dict[str, torch.Tensor]) -> torch.Tensor:
    """The largest difference of each of NAMES, on the CPU, in float64."""
    largest = []
    for name in NAMES:
        value = actual[name].cpu()
        if value.shape != exact[name].shape or value.dtype != torch.float32:
            raise ValueError(f'{case}: {name} is {value.dtype} of shape {tuple(value.shape)}')
        difference = (value - exact[name]).abs().max()
        if not difference.isfinite():
            raise ValueError(f'{case}: {name} is not finite')
        largest.append(difference)
    return torch.stack(largest)


def compare(
    solver: Solver, case: Case, device: str = 'cpu', draws: int = DRAWS, eager_draws: int | None = None
) -> list[Comparison]:
    """Hold u and each gradient to the tolerance; arguments and errors as for :func:`parity_errors`."""
    eps = torch.finfo(torch.float32).eps
    return [
        Comparison(name, fast, 2 * eager + 2 * eps * largest)
        for name, (fast, eager, largest) in parity_errors(solver, case, device, draws, eager_draws).items()
    ]


def check_parity(solver: Solver, case: Case, device: str = 'cpu', draws: int = DRAWS) -> None:
    """Raise ValueError, naming what is off by how much, unless a solver holds the tolerance in float32."""
    compared = compare(solver, case, device, draws)
    wrong = [f'{name}: error {error:.3g}, allowed {bound:.3g}' for name, error, bound in compared if not error <= bound]
    if wrong:
        raise ValueError(f'{case}: ' + '; '.join(wrong))
