"""Comparison of a fused backend with the float64 reference: output and every gradient.

A backend is right if its errors are those of float32 arithmetic, as the eager reference in float32 has them:

err(fast, ref64) <= 2 * err(eager, ref64) + 2 * eps * max|ref64|, the errors being medians over several draws. One draw
would not do: the error of a scalar's gradient is a single number that may happen to be close to zero, and where a pixel
comes close to a kink of the solver, the rounding of either implementation is amplified by orders of magnitude.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import NamedTuple

import torch

from repflow_mm.ops import rep_flow_ref
from repflow_mm.ops.reference import kernels_or_defaults, scalars_like

NAMES = ('u', 'x', 'theta', 'lam', 'tau', 'image_kernel', 'flow_kernel', 'div_kernel')
DRAWS = 36

Solver = Callable[..., torch.Tensor]


class Case(NamedTuple):
    """Shape of x, iterations, scalars, and whether the taps are random."""

    shape: tuple[int, int, int, int, int]
    num_iters: int = 10
    theta: float = 0.3
    lam: float = 0.15
    tau: float = 0.25
    learned: bool = False

    def __str__(self) -> str:
        n, c, t, h, w = self.shape
        taps = '-learned' if self.learned else ''
        scalars = f'theta{self.theta}-lam{self.lam}-tau{self.tau}'
        return f'N{n}-C{c}-T{t}-H{h}-W{w}-iters{self.num_iters}-{scalars}{taps}'


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
    solver: Solver, case: Case, device: str = 'cpu', draws: int = DRAWS
) -> dict[str, tuple[float, float, float]]:
    """For u and each gradient the solver's error, the eager reference's, and the largest value: medians over draws.

    Raises:
        ValueError: If a result has another shape or dtype than the reference's, or is not finite.
    """
    draws_of = {name: [] for name in NAMES}
    for seed in range(draws):
        inputs, grad_u = draw(case, seed)
        exact = evaluate(rep_flow_ref, [tensor.double() for tensor in inputs], grad_u, case.num_iters)
        eager = evaluate(rep_flow_ref, inputs, grad_u, case.num_iters)
        fast = evaluate(solver, [tensor.to(device) for tensor in inputs], grad_u.to(device), case.num_iters)
        for name, measured in draws_of.items():
            if fast[name].shape != exact[name].shape or fast[name].dtype != torch.float32:
                raise ValueError(f'{case}: {name} is {fast[name].dtype} of shape {tuple(fast[name].shape)}')
            values = (fast[name].cpu() - exact[name], eager[name] - exact[name], exact[name])
            if not all(value.isfinite().all() for value in values):
                raise ValueError(f'{case}: {name} is not finite')
            measured.append([value.abs().max().item() for value in values])
    return {name: tuple(torch.tensor(measured).median(dim=0).values.tolist()) for name, measured in draws_of.items()}


def check_parity(solver: Solver, case: Case, device: str = 'cpu', draws: int = DRAWS) -> None:
    """Raise ValueError, naming what is off by how much, unless a solver holds the tolerance in float32."""
    eps = torch.finfo(torch.float32).eps
    wrong = [
        f'{name}: error {fast:.3g}, eager {eager:.3g}, largest value {largest:.3g}'
        for name, (fast, eager, largest) in parity_errors(solver, case, device, draws).items()
        if not fast <= 2 * eager + 2 * eps * largest
    ]
    if wrong:
        raise ValueError(f'{case}: ' + '; '.join(wrong))
