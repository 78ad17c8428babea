"""The fused CPU solver as an operator of PyTorch, and when it can run."""

from __future__ import annotations

from torch import Tensor

from repflow_mm.ops.compiler import constant_result
from repflow_mm.ops.cpu.launch import DTYPES, cpu_backward, cpu_forward, load
from repflow_mm.ops.library import forward_mode_reasons, register

solve = register('rep_flow_cpu', cpu_forward, cpu_backward)


def unsupported_reasons(x: Tensor) -> list[str]:
    """Why the CPU solver cannot run on ``x``; builds it at the first call that comes this far.

    Args:
        x (Tensor): Features (N, C, T, H, W).

    Returns:
        list[str]: One sentence for each reason; empty if it can run.
    """
    reasons = forward_mode_reasons()
    if x.device.type != 'cpu':
        reasons.append(f'device is {x.device.type} (supported: cpu)')
    if x.dtype not in DTYPES:
        reasons.append(f'dtype is {str(x.dtype).removeprefix("torch.")} (supported: {", ".join(DTYPES.values())})')
    if not reasons and (failure := _build_failure()):
        reasons.append(failure)
    return reasons


@constant_result  # torch.compile cannot trace a build
def _build_failure() -> str:
    """Why there is no library, '' if there is one."""
    return load()[1]
