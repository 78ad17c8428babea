"""The fused CPU solver: launchers of the C library, and the backend made of them."""

from __future__ import annotations

import ctypes
import functools
import warnings

import torch
from torch import Tensor

from repflow_mm.ops.cpu.build import load_library
from repflow_mm.ops.library import register

DTYPES = {torch.float32: 'float32', torch.float64: 'float64'}
SIZES = ('batch', 'channels', 'frames', 'height', 'width', 'num_iters', 'num_threads')
TERMS = ('theta', 'lam', 'tau', 'image_kernel', 'flow_kernel', 'div_kernel')
GRADIENTS = ('grad_x', *(f'grad_{name}' for name in TERMS))


class _Problem(ctypes.Structure):
    """Sizes and addresses for a call: the twin of ``rep_flow_problem`` in csrc/problem.h, field by field."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in SIZES),
        ('x_strides', ctypes.c_int64 * 3),
        ('grad_u_strides', ctypes.c_int64 * 3),
        *((name, ctypes.c_void_p) for name in ('x', *TERMS, 'u', 'grad_u', *GRADIENTS)),
    )


@functools.cache
def _load() -> tuple[ctypes.CDLL | None, str]:
    """The library and '', or None and why there is none; warns in that case, once per process."""
    try:
        return load_library(), ''
    except RuntimeError as error:
        warnings.warn(f'repflow_mm: {error}; the slower reference runs on the CPU instead', stacklevel=2)
        return None, str(error)


@torch.compiler.assume_constant_result
def _build_failure() -> str:
    """Why there is no library, '' if there is one: a constant to torch.compile, which cannot trace a build."""
    return _load()[1]


def unsupported_reasons(x: Tensor) -> list[str]:
    """Why the CPU solver cannot run on ``x``; empty if it can. Builds it at the first call that comes this far."""
    reasons = []
    if x.device.type != 'cpu':
        reasons.append(f'device is {x.device.type} (supported: cpu)')
    if x.dtype not in DTYPES:
        reasons.append(f'dtype is {str(x.dtype).removeprefix("torch.")} (supported: {", ".join(DTYPES.values())})')
    if not reasons and (failure := _build_failure()):
        reasons.append(failure)
    return reasons


def _forward(x, theta, lam, tau, image_kernel, flow_kernel, div_kernel, num_iters):
    n, c, t, h, w = x.shape
    u = torch.empty((n, 2 * c, t - 1, h, w), dtype=x.dtype)
    _launch('forward', x, (theta, lam, tau, image_kernel, flow_kernel, div_kernel), num_iters, u=u)
    return u


def _backward(grad_u, x, theta, lam, tau, image_kernel, flow_kernel, div_kernel, num_iters):
    terms = (theta, lam, tau, image_kernel, flow_kernel, div_kernel)
    grads = tuple(torch.empty(tensor.shape, dtype=x.dtype) for tensor in (x, *terms))
    grad_u = _with_whole_planes(grad_u)
    strides = (ctypes.c_int64 * 3)(*grad_u.stride()[:3])
    _launch('backward', x, terms, num_iters, grad_u=grad_u, grad_u_strides=strides, **dict(zip(GRADIENTS, grads)))
    return grads


def run_arithmetic(
    x: Tensor,
    theta: Tensor,
    lam: Tensor,
    tau: Tensor,
    num_iters: int,
    image_kernel: Tensor,
    flow_kernel: Tensor,
    div_kernel: Tensor,
) -> None:
    """The arithmetic of a forward solve's iterations alone, without neighbours and planes: a benchmark's lower limit.

    Args:
        x (Tensor): (N, C, T, H, W), float32 or float64; its shape says how many pixels there are.
        theta (Tensor): ().
        lam (Tensor): ().
        tau (Tensor): ().
        num_iters (int): Number of iterations.
        image_kernel (Tensor): (2, C, 3, 3).
        flow_kernel (Tensor): (2, C, 2).
        div_kernel (Tensor): (2, C, 2).
    """
    n, c, t, h, w = x.shape
    nowhere = torch.empty((n, 2 * c, t - 1, h, w), dtype=x.dtype)
    _launch('arithmetic', x, (theta, lam, tau, image_kernel, flow_kernel, div_kernel), num_iters, u=nowhere)


def _launch(direction: str, x: Tensor, terms: tuple[Tensor, ...], num_iters: int, **fields) -> None:
    """Call the C function of that direction; ``fields`` are further fields of the problem, tensors by address."""
    _check_tensors(x, *terms, *(field for field in fields.values() if isinstance(field, Tensor)))
    tensors = dict(x=_with_whole_planes(x), **{name: term.contiguous() for name, term in zip(TERMS, terms)})
    tensors.update((name, field) for name, field in fields.items() if isinstance(field, Tensor))
    problem = _Problem(*x.shape, num_iters, torch.get_num_threads())
    problem.x_strides = (ctypes.c_int64 * 3)(*tensors['x'].stride()[:3])
    for name, field in {**fields, **tensors}.items():
        setattr(problem, name, field.data_ptr() if isinstance(field, Tensor) else field)
    call(f'rep_flow_{direction}', problem, x)


def call(function: str, problem: ctypes.Structure, x: Tensor) -> None:
    """Call the C function of that name for ``x``'s dtype; ``problem`` is its argument."""
    library, failure = _load()
    if library is None:
        raise NotImplementedError(f'{function}: {failure}')
    if getattr(library, f'{function}_{DTYPES[x.dtype]}')(ctypes.byref(problem)):
        raise MemoryError(f'{function}: no memory for the working planes of a tensor of shape {tuple(x.shape)}')


def _check_tensors(x: Tensor, *others: Tensor) -> None:
    """The launchers hand addresses to C: what is not plain CPU memory of one dtype must not get there."""
    for tensor in (x, *others):
        if tensor.device.type != 'cpu' or tensor.dtype != x.dtype or x.dtype not in DTYPES:
            raise TypeError(
                'rep_flow: the CPU solver takes CPU tensors, all float32 or all float64, '
                f'got {tensor.dtype} on {tensor.device} with x {x.dtype} on {x.device}'
            )


def _with_whole_planes(tensor: Tensor) -> Tensor:
    """The tensor, copied only if its planes (H, W) are not contiguous: the kernel takes any strides of N, C, T."""
    return tensor if tensor.stride()[3:] == (tensor.shape[4], 1) else tensor.contiguous()


solve = register('rep_flow_cpu', _forward, _backward)
