"""The backends of the flow solver and the choice of one."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from repflow_mm.ops.cpu import operator as cpu
from repflow_mm.ops.reference import rep_flow_ref
from repflow_mm.ops.triton import operator as triton

logger = logging.getLogger(__name__)


class Backend(NamedTuple):
    """One implementation of the solver.

    ``unsupported_reasons(x)`` lists why it cannot run on ``x`` (empty: it can); ``solve`` takes the arguments of
    :func:`rep_flow_ref`, all of them tensors but ``num_iters``, and returns its result.
    """

    unsupported_reasons: Callable[[Tensor], list[str]]
    solve: Callable[..., Tensor]


# In the order in which 'auto' tries them.
BACKENDS = {
    'cpu': Backend(unsupported_reasons=cpu.unsupported_reasons, solve=cpu.solve),
    'triton': Backend(unsupported_reasons=triton.unsupported_reasons, solve=triton.solve),
    'reference': Backend(unsupported_reasons=lambda x: [], solve=rep_flow_ref),
}


def choose_backend(
    x: Tensor,
    backend: str = 'auto',
    backends: dict[str, Backend] | None = None,
    op: str = 'rep_flow',
    name: str = 'x',
) -> Backend:
    """The backend of that name, or for ``'auto'`` the first that can run on ``x``.

    ``backends`` are those of :func:`rep_flow` by default; ``op`` and ``name`` are what messages call the operator
    and ``x``.
    """
    backends = BACKENDS if backends is None else backends
    if backend == 'auto':
        chosen = next(key for key, candidate in backends.items() if not candidate.unsupported_reasons(x))
        if not torch.compiler.is_compiling():
            _log_choice(op, chosen, x.device.type, x.dtype)
        return backends[chosen]
    if backend not in backends:
        raise ValueError(f'backend must be one of {("auto", *backends)}, got {backend!r}')
    reasons = backends[backend].unsupported_reasons(x)
    if reasons:
        lines = (
            f'{op}: backend={backend!r} cannot run',
            f'  {name}: shape={tuple(x.shape)} {str(x.dtype).removeprefix("torch.")} {x.device}',
            *(f'  - {reason}' for reason in reasons),
        )
        raise NotImplementedError('\n'.join(lines))
    return backends[backend]


@functools.cache
def _log_choice(op: str, name: str, device: str, dtype: torch.dtype) -> None:
    """Say once which backend 'auto' took."""
    logger.info('%s: backend %r for %s tensors on %s', op, name, str(dtype).removeprefix('torch.'), device)
