"""Inputs of the solver, and calls of it, that several parts use."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from repflow_mm.ops import rep_flow
from repflow_mm.ops.stencils import default_image_kernel, default_taps

CHANNELS = 32


class Problem(NamedTuple):
    """``clips`` clips of ``pairs`` neighbouring pairs of square maps; the paper's channels and iterations."""

    size: int
    clips: int
    pairs: int
    num_iters: int = 20
    channels: int = CHANNELS

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """(N, C, T, H, W) of the features."""
        return self.clips, self.channels, self.pairs + 1, self.size, self.size

    def describe(self) -> dict[str, int]:
        """The sizes as a record has them."""
        return self._asdict()


def draw_inputs(shape: tuple[int, ...], device: str, seed: int = 0) -> dict[str, Tensor]:
    """Random features in [0, 255] (N, C, T, H, W) and the paper's start values, all requiring gradients."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(shape[1:], generator=generator) * 255
    # One clip for all, each with a brightness of its own: drawing gigabytes on the CPU would take seconds.
    x = x.to(device) + torch.arange(shape[0], device=device).view(-1, 1, 1, 1, 1)
    scalars = dict(zip(('theta', 'lam', 'tau'), torch.tensor([0.3, 0.15, 0.25], device=device)))
    kernels = dict(
        image_kernel=default_image_kernel(shape[1], device=x.device),
        flow_kernel=default_taps(shape[1], device=x.device),
        div_kernel=default_taps(shape[1], device=x.device),
    )
    return {name: value.clone().requires_grad_() for name, value in dict(x=x, **scalars, **kernels).items()}


def solve(inputs: dict[str, Tensor], num_iters: int, backend: str) -> Tensor:
    """U (N, 2C, T-1, H, W) without a graph for gradients."""
    with torch.no_grad():
        return rep_flow(**inputs, num_iters=num_iters, backend=backend)


def solve_with_gradients(inputs: dict[str, Tensor], num_iters: int, backend: str) -> list[Tensor]:
    """u, and the gradients of all inputs for a gradient of u that is 1 everywhere."""
    u = rep_flow(**inputs, num_iters=num_iters, backend=backend)
    return [u.detach(), *torch.autograd.grad(u, list(inputs.values()), torch.ones_like(u))]


def same_bits(first: list[Tensor], second: list[Tensor]) -> bool:
    """Whether two lists hold the same numbers, bit for bit."""
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
