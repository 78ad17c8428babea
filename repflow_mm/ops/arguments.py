"""Checks of the solver's arguments, shared by the reference and the public op."""

from __future__ import annotations

import torch
from torch import Tensor


def check_arguments(x, theta, lam, tau, num_iters, image_kernel=None, flow_kernel=None, div_kernel=None) -> None:
    """Raise TypeError or ValueError, quoting what was given and what is allowed, if an argument cannot be used."""
    check_features(x)
    for name, scalar in (('theta', theta), ('lam', lam), ('tau', tau)):
        _check_scalar(name, scalar)
    check_num_iters(num_iters)
    channels = x.shape[1]
    _check_kernel('image_kernel', image_kernel, (2, channels, 3, 3))
    _check_kernel('flow_kernel', flow_kernel, (2, channels, 2))
    _check_kernel('div_kernel', div_kernel, (2, channels, 2))


def check_features(x: Tensor) -> None:
    """Check that x is a floating-point tensor (N, C, T, H, W) with T, H, W >= 2."""
    check_floating('x', x)
    if x.ndim != 5:
        raise ValueError(f'x must have shape (N, C, T, H, W), got {x.ndim} dimensions: {tuple(x.shape)}')
    for name, size in zip('THW', x.shape[2:]):
        if size < 2:
            raise ValueError(f'x must have {name} >= 2, got {name} = {size} in shape {tuple(x.shape)}')


def check_num_iters(num_iters: int) -> None:
    """Check that the number of iterations is an integer >= 0."""
    if isinstance(num_iters, bool) or not isinstance(num_iters, (int, torch.SymInt)):
        raise TypeError(f'num_iters must be an int, got {type(num_iters).__name__} {num_iters!r}')
    if num_iters < 0:
        raise ValueError(f'num_iters must be >= 0, got {num_iters}')


def _check_scalar(name: str, scalar: float | Tensor) -> None:
    if isinstance(scalar, Tensor):
        check_floating(name, scalar)
        if scalar.numel() != 1:
            raise ValueError(f'{name} must be a number or a tensor of one element, got shape {tuple(scalar.shape)}')
    elif isinstance(scalar, bool) or not isinstance(scalar, (int, float)):
        raise TypeError(f'{name} must be a number or a tensor of one element, got {type(scalar).__name__}')


def _check_kernel(name: str, kernel: Tensor | None, shape: tuple[int, ...]) -> None:
    if kernel is None:
        return
    check_floating(name, kernel)
    if tuple(kernel.shape) != shape:
        raise ValueError(f'{name} must have shape {shape}, got {tuple(kernel.shape)}')


def check_floating(name: str, tensor: Tensor) -> None:
    """Check that ``tensor`` is a floating-point tensor; ``name`` is what the message calls it."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f'{name} must be a tensor, got {type(tensor).__name__}')
    if not tensor.is_floating_point():
        raise TypeError(f'{name} must have a floating-point dtype, got {tensor.dtype}')


def at_least_float32(x: Tensor) -> Tensor:
    """``x`` in float32 if it has half precision, which cannot hold the norms of small gradients, else ``x`` itself."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
