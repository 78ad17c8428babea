"""What the Triton kernels must compute, case by case: the output and every gradient, by the rule of ``parity.py``.

Needs torch, and Triton to run; a machine with a GPU and nothing else can check itself with it:

    from repflow_mm.testing.solver_cases import CASES, LARGE_CASES, compare
    for case in CASES + LARGE_CASES:
        print(case, all(result.holds for result in compare(case, 'cuda')))
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from repflow_mm.ops.triton.tile_choice import Tile
from repflow_mm.testing import parity
from repflow_mm.testing.parity import Case, Comparison, Solver

# An emulator of compiled kernels takes seconds for a draw of a large map.
SMALL_DRAWS, LARGE_DRAWS, EAGER_DRAWS = 9, 3, 27

_learned = functools.partial(Case, learned=True)
LOW = Tile(rows=2, phases=1, strips=4, lanes=8)
CASES = (
    _learned((2, 2, 2, 7, 5), 5),
    _learned((1, 1, 3, 9, 10), 5),
    _learned((1, 8, 2, 2, 2), 5),
    _learned((1, 2, 2, 3, 9), 1),
    _learned((1, 2, 2, 3, 4), 0),
    _learned((1, 1, 2, 3, 35), 2),
    _learned((1, 4, 2, 7, 5), 3, theta=2.0, lam=0.5, tau=3.0, tile=LOW),
    _learned((1, 4, 2, 7, 5), 3, theta=0.02, lam=0.001, tau=0.002, tile=LOW),
    _learned((1, 4, 2, 6, 7), 4, tile=Tile(rows=2, phases=2, strips=4, lanes=4)),
)
# The maps of networks, whose tiles would take Triton's interpreter minutes.
LARGE_CASES = (
    _learned((1, 8, 2, 7, 7), 20),
    _learned((1, 2, 3, 14, 14), 20),
    _learned((1, 1, 3, 28, 28), 20),
    _learned((1, 1, 2, 27, 29), 20),
    _learned((1, 1, 2, 28, 28), 50),
    _learned((1, 1, 2, 64, 33), 5),
    _learned((1, 1, 2, 56, 56), 20),
    _learned((1, 1, 2, 112, 112), 8),
    _learned((1, 1, 2, 112, 112), 20),
)


class _Launchers(torch.autograd.Function):
    """The Triton launchers as a differentiable function, with a tile of the caller's choice."""

    @staticmethod
    def forward(ctx, tile: Tile | None, num_iters: int, *inputs: Tensor) -> Tensor:
        from repflow_mm.ops.triton.forward import triton_forward

        ctx.tile, ctx.num_iters = tile, num_iters
        ctx.save_for_backward(*inputs)
        return triton_forward(*inputs, num_iters, tile)

    @staticmethod
    def backward(ctx, grad_u: Tensor) -> tuple[Tensor | None, ...]:
        from repflow_mm.ops.triton.backward import triton_backward

        return None, None, *triton_backward(grad_u, *ctx.saved_tensors, ctx.num_iters, ctx.tile)


def triton_solver(
    x: Tensor,
    theta: Tensor,
    lam: Tensor,
    tau: Tensor,
    image_kernel: Tensor,
    flow_kernel: Tensor,
    div_kernel: Tensor,
    num_iters: int,
    tile: Tile | None = None,
) -> Tensor:
    """Flow (N, 2C, T-1, H, W) by the Triton launchers, differentiable; arguments as for ``triton_forward``."""
    return _Launchers.apply(tile, num_iters, x, theta, lam, tau, image_kernel, flow_kernel, div_kernel)


def compare(
    case: Case,
    device: str,
    solve: Solver | None = None,
    draws: int | None = None,
    eager_draws: int = EAGER_DRAWS,
) -> list[Comparison]:
    """Compare u and the gradients of all seven inputs with the float64 reference.

    Args:
        case (Case): One of ``CASES`` or ``LARGE_CASES``, or another.
        device (str): Where the solver runs: ``'cuda'``, or ``'cpu'`` for Triton's interpreter or an emulator. The
            reference runs on the CPU.
        solve (Callable, optional): The solver, called as ``rep_flow_ref`` is. Defaults to the Triton launchers with
            the case's tile.
        draws (int, optional): How often the solver runs. Defaults on the CPU to 9, for a case of ``LARGE_CASES`` to 3,
            and elsewhere to ``eager_draws``.
        eager_draws (int): How often the eager reference runs. Defaults to 27.

    Returns:
        list[Comparison]: ``name`` (``'u'`` or the input that the gradient belongs to), ``error`` and ``bound``.

    Raises:
        ValueError: If a result has another shape or dtype than the reference's, or is not finite.
    """
    if draws is None and device == 'cpu':
        draws = LARGE_DRAWS if case in LARGE_CASES else SMALL_DRAWS
    solve = solve or functools.partial(triton_solver, tile=case.tile and Tile(*case.tile))
    return parity.compare(solve, case, device, draws or eager_draws, eager_draws)
