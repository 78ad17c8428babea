"""The public flow op: argument checks, dtype rule and the choice of a backend."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from repflow_mm.ops import cpu, cuda
from repflow_mm.ops.checks import check_arguments
from repflow_mm.ops.precision import at_least_float32
from repflow_mm.ops.reference import kernels_or_defaults, rep_flow_ref, scalars_like

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
    'triton': Backend(unsupported_reasons=cuda.unsupported_reasons, solve=cuda.solve),
    'reference': Backend(unsupported_reasons=lambda x: [], solve=rep_flow_ref),
}


def rep_flow(
    x: Tensor,
    theta: float | Tensor,
    lam: float | Tensor,
    tau: float | Tensor,
    num_iters: int,
    image_kernel: Tensor | None = None,
    flow_kernel: Tensor | None = None,
    div_kernel: Tensor | None = None,
    backend: str = 'auto',
) -> Tensor:
    """Representation flow of every pair of neighbouring frames, every channel solved on its own.

    Computes what :func:`repflow_mm.ops.rep_flow_ref` specifies (Piergiovanni & Ryoo, CVPR 2019, Algorithm 1),
    differentiably in every tensor argument, with the fastest backend that can run. Half-precision features are
    solved in float32 and the result is rounded to their dtype; under autocast the result is float32.

    Args:
        x (Tensor): Features (N, C, T, H, W), floating point; T, H, W >= 2.
        theta (float | Tensor): Tightness of the coupling of v and u; the paper starts at 0.3.
        lam (float | Tensor): Weight of the data term; the paper starts at 0.15.
        tau (float | Tensor): Step of the dual ascent; the paper starts at 0.25.
        num_iters (int): Number of iterations, >= 0.
        image_kernel (Tensor, optional): (2, C, 3, 3), ``[0]`` for x. Defaults to the central difference.
        flow_kernel (Tensor, optional): (2, C, 2), ``[0]`` along x. Defaults to (-1, 1).
        div_kernel (Tensor, optional): (2, C, 2), ``[0]`` along x. Defaults to (-1, 1).
        backend (str): ``'auto'`` or one of ``BACKENDS``. Defaults to ``'auto'``.

    Returns:
        Tensor: u, (N, 2C, T-1, H, W): the C x-components, then the C y-components, in feature-grid pixels per
        frame step.

    Raises:
        TypeError: If a tensor is not floating point or a scalar is no number.
        ValueError: If a shape, ``num_iters`` or ``backend`` is not allowed.
        NotImplementedError: If the named backend cannot run on ``x``; the message lists the reasons.

    Example:
        >>> rep_flow(torch.rand(1, 8, 4, 14, 14) * 255, 0.3, 0.15, 0.25, num_iters=20).shape
        torch.Size([1, 16, 3, 14, 14])
    """
    check_arguments(x, theta, lam, tau, num_iters, image_kernel, flow_kernel, div_kernel)
    has_autocast = torch.amp.is_autocast_available(x.device.type)  # 'meta', for one, has none
    autocast = has_autocast and torch.is_autocast_enabled(x.device.type)
    with torch.autocast(x.device.type, enabled=False) if autocast else contextlib.nullcontext():
        features = at_least_float32(x)
        scalars = scalars_like(features, theta, lam, tau)
        kernels = kernels_or_defaults(features, image_kernel, flow_kernel, div_kernel)
        u = choose_backend(features, backend).solve(features, *scalars, num_iters, *kernels)
    return u if autocast else u.to(x.dtype)


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
