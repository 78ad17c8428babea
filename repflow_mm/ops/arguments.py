"""Checks of arguments; each raises a TypeError or ValueError that quotes what was given and what is allowed."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def check_arguments(x, theta, lam, tau, image_kernel, flow_kernel, div_kernel, num_iters) -> None:
    """Check the solver's arguments, the kernels of which may be None."""
    check_features(x)
    for name, scalar in (('theta', theta), ('lam', lam), ('tau', tau)):
        check_scalar(name, scalar)
    for name, number in (('theta', theta), ('tau', tau)):
        if not isinstance(number, Tensor):  # a tensor on a GPU would have to be waited for
            check_positive(name, number)
    channels = x.shape[1]
    for name, kernel, shape in (
        ('image_kernel', image_kernel, (2, channels, 3, 3)),
        ('flow_kernel', flow_kernel, (2, channels, 2)),
        ('div_kernel', div_kernel, (2, channels, 2)),
    ):
        if kernel is not None:
            check_floating(name, kernel)
            check_shape(name, kernel, shape)
    check_count('num_iters', num_iters, smallest=0)


def check_clips(x: Tensor) -> None:
    """Check that x is a floating-point tensor (N, C, T, H, W)."""
    check_floating('x', x)
    if x.ndim != 5:
        raise ValueError(f'x must have shape (N, C, T, H, W), got {x.ndim} dimensions: {tuple(x.shape)}')


def check_features(x: Tensor) -> None:
    """Check that x is a floating-point tensor (N, C, T, H, W) with T, H, W >= 2."""
    check_clips(x)
    for name, size in zip('THW', x.shape[2:]):
        if size < 2:
            raise ValueError(f'x must have {name} >= 2, got {name} = {size} in shape {tuple(x.shape)}')


def check_floating(name: str, tensor: Tensor) -> None:
    """Check that ``tensor`` is a floating-point tensor; ``name`` is what the message calls it."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f'{name} must be a tensor, got {type(tensor).__name__}')
    if not tensor.is_floating_point():
        raise TypeError(f'{name} must have a floating-point dtype, got {tensor.dtype}')


def check_shape(name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    """Check that ``tensor`` has that shape."""
    if tuple(tensor.shape) != shape:
        raise ValueError(f'{name} must have shape {shape}, got {tuple(tensor.shape)}')


def check_scalar(name: str, scalar: float | Tensor) -> None:
    """Check that ``scalar`` is a number or a floating-point tensor of one element."""
    if isinstance(scalar, Tensor):
        check_floating(name, scalar)
        if scalar.numel() != 1:
            raise ValueError(f'{name} must be a number or a tensor of one element, got shape {tuple(scalar.shape)}')
    elif isinstance(scalar, bool) or not isinstance(scalar, (int, float)):
        raise TypeError(f'{name} must be a number or a tensor of one element, got {type(scalar).__name__}')


def check_number(name: str, value: float) -> None:
    """Check that ``value`` is an int or a float."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f'{name} must be a number, got {type(value).__name__} {value!r}')


def check_finite(name: str, value: float) -> None:
    """Check that ``value`` is a finite number."""
    check_number(name, value)
    if not math.isfinite(value):
        raise ValueError(f'{name} must be finite, got {value}')


def check_positive(name: str, number: float) -> None:
    """Check that a number is > 0; NaN passes, and gives NaN."""
    if number <= 0:
        raise ValueError(f'{name} must be > 0, got {number}')


def check_fraction(name: str, number: float) -> None:
    """Check that a number is between 0 and 1, both excluded."""
    if not 0 < number < 1:
        raise ValueError(f'{name} must be between 0 and 1, both excluded, got {number}')


def check_count(name: str, count: int, smallest: int = 1) -> None:
    """Check that ``count`` is an integer that is no less than ``smallest``."""
    if isinstance(count, bool) or not isinstance(count, (int, torch.SymInt)):
        raise TypeError(f'{name} must be an int, got {type(count).__name__} {count!r}')
    if count < smallest:
        raise ValueError(f'{name} must be >= {smallest}, got {count}')


def at_least_float32(x: Tensor) -> Tensor:
    """``x`` in float32 if it has half precision, which cannot hold the norms of small gradients, else ``x`` itself."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
