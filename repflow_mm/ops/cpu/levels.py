"""What the classical flow methods share of the fused CPU solver: when it can run, and its call for a level."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor

from repflow_mm.ops.cpu import operator as cpu
from repflow_mm.ops.cpu.launch import call

SIZES = ('batch', 'height', 'width')


def level_structure(counts: Sequence[str], numbers: Sequence[str]) -> type[ctypes.Structure]:
    """The structure of sizes, numbers and addresses that a method's C function for a level takes.

    Args:
        counts (Sequence[str]): The method's integers, as its ``csrc/*_problem.h`` has them between sizes and threads.
        numbers (Sequence[str]): Its floating-point numbers, in the order there.

    Returns:
        type[ctypes.Structure]: The twin of the C structure, field by field.
    """
    fields = (
        *((name, ctypes.c_int64) for name in (*SIZES, *counts, 'num_threads')),
        *((name, ctypes.c_double) for name in numbers),
        *((name, ctypes.c_void_p) for name in ('images', 'u')),
    )
    return type('Level', (ctypes.Structure,), dict(_fields_=fields))


def unsupported_reasons(images: Tensor) -> list[str]:
    """Why the CPU solver cannot run on ``images``; empty if it can. Builds it at the first call that comes this far."""
    reasons = []
    if torch.is_grad_enabled() and images.requires_grad:
        reasons.append("the images require gradients (supported: backend='reference', or torch.no_grad())")
    return reasons or cpu.unsupported_reasons(images)


def solve_level(
    function: str, structure: type[ctypes.Structure], images: Tensor, u: Tensor, values: dict[str, float]
) -> Tensor:
    """Call a method's C function for a level, a pair after the other on every thread.

    Args:
        function (str): Its name, without the dtype.
        structure (type[ctypes.Structure]): What :func:`level_structure` made for it.
        images (Tensor): (N, 2, H, W), float32 or float64, on the CPU.
        u (Tensor): (N, 2, H, W), of the same dtype.
        values (dict[str, float]): The method's counts and numbers.

    Returns:
        Tensor: u, (N, 2, H, W). Not differentiable.
    """
    images, u = images.detach().contiguous(), u.detach().clone(memory_format=torch.contiguous_format)
    n, _, height, width = images.shape
    level = structure(batch=n, height=height, width=width, num_threads=torch.get_num_threads(), **values)
    level.images, level.u = images.data_ptr(), u.data_ptr()
    call(function, level, images)
    return u
