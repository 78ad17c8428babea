"""TV-L1 flow at one level of the pyramid by the fused CPU solver."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from repflow_mm.ops.compiler import run_eagerly
from repflow_mm.ops.cpu import operator as cpu
from repflow_mm.ops.cpu.launch import call
from repflow_mm.ops.tvl1_parameters import TVL1Parameters

SIZES = ('batch', 'height', 'width')
COUNTS = ('num_warps', 'inner_iters', 'outer_iters', 'median_filter')
NUMBERS = ('tau', 'lam', 'theta', 'epsilon')


class _Level(ctypes.Structure):
    """Sizes, numbers and addresses for a call: the twin of ``tvl1_level`` in csrc/tvl1_problem.h."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in (*SIZES, *COUNTS, 'num_threads')),
        *((name, ctypes.c_double) for name in NUMBERS),
        *((name, ctypes.c_void_p) for name in ('images', 'u')),
    )


def unsupported_reasons(images: Tensor) -> list[str]:
    """Why the CPU solver cannot run on ``images``; empty if it can. Builds it at the first call that comes this far."""
    reasons = []
    if torch.is_grad_enabled() and images.requires_grad:
        reasons.append("the images require gradients (supported: backend='reference', or torch.no_grad())")
    return reasons or cpu.unsupported_reasons(images)


@run_eagerly
def solve_level(images: Tensor, u: Tensor, parameters: TVL1Parameters) -> Tensor:
    """What :func:`repflow_mm.ops.tvl1_reference.solve_level_ref` specifies, a pair after the other on every thread.

    Args:
        images (Tensor): (N, 2, H, W), float32 or float64, on the CPU.
        u (Tensor): (N, 2, H, W), of the same dtype.
        parameters (TVL1Parameters): The method's parameters.

    Returns:
        Tensor: u, (N, 2, H, W). Not differentiable.
    """
    images, u = images.detach().contiguous(), u.detach().clone(memory_format=torch.contiguous_format)
    n, _, height, width = images.shape
    level = _Level(batch=n, height=height, width=width, num_threads=torch.get_num_threads())
    for name in (*COUNTS, *NUMBERS):
        setattr(level, name, getattr(parameters, name))
    level.images, level.u = images.data_ptr(), u.data_ptr()
    call('tvl1_level', level, images)
    return u
