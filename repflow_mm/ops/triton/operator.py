"""The Triton backend as the public op sees it; Triton itself is imported at the first call."""

from __future__ import annotations

import functools
import importlib.util
import os

import torch
from torch import Tensor

from repflow_mm.ops.library import register

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
MIN_CAPABILITY = (8, 0)


def unsupported_reasons(x: Tensor) -> list[str]:
    """Why the Triton backend cannot run on features ``x``.

    Args:
        x (Tensor): Features (N, C, T, H, W).

    Returns:
        list[str]: One sentence for each reason; empty if it can run.
    """
    reasons = []
    if x.device.type == 'cuda':
        reasons += _device_reasons(x.device)
    elif x.device.type != 'cpu' or not interpreted():
        reasons.append(f'device is {x.device.type} (supported: cuda; cpu for tests, with TRITON_INTERPRET=1)')
    if x.dtype not in DTYPES:
        supported = ', '.join(str(dtype).removeprefix('torch.') for dtype in DTYPES)
        reasons.append(f'dtype is {str(x.dtype).removeprefix("torch.")} (supported: {supported})')
    if not _has_triton():
        reasons.append('triton is not installed')
    return reasons


def interpreted() -> bool:
    """Whether Triton's interpreter, which runs kernels on the CPU for tests, is asked for."""
    return os.environ.get('TRITON_INTERPRET', '').lower() in ('1', 'true', 'on', 'y', 'yes')


def triton_forward(x, theta, lam, tau, image_kernel, flow_kernel, div_kernel, num_iters):
    """See :func:`repflow_mm.ops.triton.forward.triton_forward`."""
    from repflow_mm.ops.triton import forward as triton_kernels

    return triton_kernels.triton_forward(x, theta, lam, tau, image_kernel, flow_kernel, div_kernel, num_iters)


def triton_backward(grad_u, x, theta, lam, tau, image_kernel, flow_kernel, div_kernel, num_iters):
    """See :func:`repflow_mm.ops.triton.backward.triton_backward`."""
    from repflow_mm.ops.triton import backward as module

    terms = (theta, lam, tau, image_kernel, flow_kernel, div_kernel)
    return module.triton_backward(grad_u, x, *terms, num_iters)


solve = register('rep_flow_triton', triton_forward, triton_backward)


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
