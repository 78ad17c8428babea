"""The Triton solver as an operator of PyTorch, and when it can run; the first call imports the kernels, and Triton."""

from __future__ import annotations

import functools
import importlib.util
import os

import torch
from torch import Tensor

from repflow_mm.ops.compiler import constant_result
from repflow_mm.ops.library import check_launch, forward_mode_reasons, register

DTYPES = (torch.float32,)
MIN_CAPABILITY = (8, 0)


def _forward(*inputs):
    """Check the inputs and launch the forward pass."""
    check_launch(_devices(), DTYPES, *inputs)
    from repflow_mm.ops.triton.forward import triton_forward

    return triton_forward(*inputs)


def _backward(grad_u, *inputs):
    """Check the inputs and launch the backward pass."""
    check_launch(_devices(), DTYPES, *inputs, grad_u=grad_u)
    from repflow_mm.ops.triton.backward import triton_backward

    return triton_backward(grad_u, *inputs)


solve = register('rep_flow_triton', _forward, _backward)


def unsupported_reasons(x: Tensor) -> list[str]:
    """Why the Triton solver cannot run on ``x``.

    Args:
        x (Tensor): Features (N, C, T, H, W).

    Returns:
        list[str]: One sentence for each reason; empty if it can run.
    """
    reasons = forward_mode_reasons()
    if x.device.type not in _devices():
        reasons.append(f'device is {x.device.type} (supported: cuda; cpu for tests, with TRITON_INTERPRET=1)')
    if x.dtype not in DTYPES:
        supported = ', '.join(str(dtype).removeprefix('torch.') for dtype in DTYPES)
        reasons.append(f'dtype is {str(x.dtype).removeprefix("torch.")} (supported: {supported})')
    return reasons + _machine_reasons(x.device)


def interpreted() -> bool:
    """Whether Triton's interpreter, which runs kernels on the CPU for tests, is asked for."""
    return os.environ.get('TRITON_INTERPRET', '').lower() in ('1', 'true', 'on', 'y', 'yes')


@constant_result  # compiled code would ask the machine anew in each call
def _machine_reasons(device: torch.device) -> list[str]:
    reasons = _device_reasons(device) if device.type == 'cuda' else []
    return reasons if _has_triton() else [*reasons, 'triton is not installed']


def _devices() -> tuple[str, ...]:
    return ('cuda', 'cpu') if interpreted() else ('cuda',)


@functools.cache
def _has_triton() -> bool:
    return importlib.util.find_spec('triton') is not None


@functools.cache
def _device_reasons(device: torch.device) -> list[str]:
    if torch.version.hip is not None:
        return ['this PyTorch is built for ROCm (supported: CUDA)']
    capability = torch.cuda.get_device_capability(device)
    if capability < MIN_CAPABILITY:
        needed, given = ('.'.join(map(str, version)) for version in (MIN_CAPABILITY, capability))
        return [f'compute capability is {given} (supported: {needed} and newer)']
    return []
