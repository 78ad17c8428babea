"""Checks of arguments; each raises a TypeError or ValueError that quotes what was given and what is allowed."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Of iterations: a call with more could not be interrupted for minutes.
MOST_ITERATIONS = 10_000
# Of those at a level of a classical method, which has one channel.
MOST_AT_A_LEVEL = 100_000
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def check_arguments(x, theta, lam, tau, image_kernel, flow_kernel, div_kernel, num_iters) -> None:
    """Check the solver's arguments, the kernels of which may be None."""
    check_features(x)
    for name, scalar in (('theta', theta), ('lam', lam), ('tau', tau)):
        check_scalar(name, scalar)
        if isinstance(scalar, Tensor) and scalar.is_meta and not x.is_meta:
            raise ValueError(f'{name} must have a value, got a tensor on device meta with x on {x.device}')
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
    check_count('num_iters', num_iters, smallest=0, largest=MOST_ITERATIONS)


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
    """Check that ``tensor`` is a dense floating-point tensor; ``name`` is what the message calls it."""
    check_dense(name, tensor)
    if not tensor.is_floating_point():
        raise TypeError(f'{name} must have a floating-point dtype, got {tensor.dtype}')
    if tensor.dtype not in FLOATS:
        raise TypeError(f'{name} must have a floating-point dtype of 16 bits or more, got {tensor.dtype}')


def check_dense(name: str, tensor: Tensor) -> None:
    """Check that ``tensor`` is a tensor that is neither sparse nor nested."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f'{name} must be a tensor, got {type(tensor).__name__}')
    if tensor.is_nested or tensor.layout != torch.strided:
        raise TypeError(f'{name} must be a dense tensor, got {"a nested one" if tensor.is_nested else tensor.layout}')


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
    else:
        _check_representable(name, scalar)


def check_number(name: str, value: float) -> None:
    """Check that ``value`` is an int or a float."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f'{name} must be a number, got {type(value).__name__} {value!r}')
    _check_representable(name, value)


def _check_representable(name: str, value: float) -> None:
    if isinstance(value, int) and value.bit_length() > 1024:  # the largest float is just below 2**1024
        raise ValueError(f'{name} must be a number that a float can hold, got an int of {value.bit_length()} bits')


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


def check_count(name: str, count: int, smallest: int = 1, largest: int | None = None) -> None:
    """Check that ``count`` is an integer that is no less than ``smallest`` and no more than ``largest``."""
    if isinstance(count, bool) or not isinstance(count, (int, torch.SymInt)):
        raise TypeError(f'{name} must be an int, got {type(count).__name__} {count!r}')
    if count < smallest:
        raise ValueError(f'{name} must be >= {smallest}, got {count}')
    if largest is not None and count > largest:
        # Python refuses to write out integers of thousands of digits.
        is_long = isinstance(count, int) and count.bit_length() > 64
        given = f'an int of {count.bit_length()} bits' if is_long else count
        raise ValueError(f'{name} must be <= {largest}, got {given}')


def at_least_float32(x: Tensor) -> Tensor:
    """``x`` in float32 if it has half precision, which cannot hold the norms of small gradients, else ``x`` itself."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
