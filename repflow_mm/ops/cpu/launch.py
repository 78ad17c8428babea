"""Launchers of the fused CPU solver: from tensors to the sizes and addresses that the C functions take."""

from __future__ import annotations

import ctypes
import functools
import warnings

import torch
from torch import Tensor

from repflow_mm.ops.cpu.build import load_library
from repflow_mm.ops.library import check_launch

DTYPES = {torch.float32: 'float32', torch.float64: 'float64'}
SIZES = ('batch', 'channels', 'frames', 'height', 'width')
TERMS = ('theta', 'lam', 'tau', 'image_kernel', 'flow_kernel', 'div_kernel')
GRADIENTS = ('grad_x', *(f'grad_{name}' for name in TERMS))


def cpu_forward(x, theta, lam, tau, image_kernel, flow_kernel, div_kernel, num_iters):
    """The forward pass, as :func:`repflow_mm.ops.library.register` wants it."""
    terms = (theta, lam, tau, image_kernel, flow_kernel, div_kernel)
    check_launch(('cpu',), DTYPES, x, *terms, num_iters)
    n, c, t, h, w = x.shape
    u = torch.empty((n, 2 * c, t - 1, h, w), dtype=x.dtype)
    call('rep_flow_forward', _Problem.of(x, terms, num_iters, u=u), x)
    return u


def cpu_backward(grad_u, x, theta, lam, tau, image_kernel, flow_kernel, div_kernel, num_iters):
    """The backward pass, as :func:`repflow_mm.ops.library.register` wants it."""
    terms = (theta, lam, tau, image_kernel, flow_kernel, div_kernel)
    check_launch(('cpu',), DTYPES, x, *terms, num_iters, grad_u=grad_u)
    grads = tuple(torch.empty(tensor.shape, dtype=x.dtype) for tensor in (x, *terms))
    problem = _Problem.of(x, terms, num_iters, grad_u=_with_whole_planes(grad_u), **dict(zip(GRADIENTS, grads)))
    call('rep_flow_backward', problem, x)
    return grads


def cpu_arithmetic(
    x: Tensor,
    theta: Tensor,
    lam: Tensor,
    tau: Tensor,
    image_kernel: Tensor,
    flow_kernel: Tensor,
    div_kernel: Tensor,
    num_iters: int,
) -> None:
    """The arithmetic of a forward solve's iterations alone, without neighbours and planes: a benchmark's lower limit.

    Args:
        x (Tensor): (N, C, T, H, W), float32 or float64; its shape says how many pixels there are.
        theta (Tensor): ().
        lam (Tensor): ().
        tau (Tensor): ().
        image_kernel (Tensor): (2, C, 3, 3).
        flow_kernel (Tensor): (2, C, 2).
        div_kernel (Tensor): (2, C, 2).
        num_iters (int): Number of iterations.
    """
    terms = (theta, lam, tau, image_kernel, flow_kernel, div_kernel)
    check_launch(('cpu',), DTYPES, x, *terms, num_iters)
    n, c, t, h, w = x.shape
    nowhere = torch.empty((n, 2 * c, t - 1, h, w), dtype=x.dtype)
    call('rep_flow_arithmetic', _Problem.of(x, terms, num_iters, u=nowhere), x)


class _Problem(ctypes.Structure):
    """Sizes and addresses for a call: the twin of ``rep_flow_problem`` in csrc/problem.h, field by field."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in SIZES),
        ('x_strides', ctypes.c_int64 * 3),
        *((name, ctypes.c_void_p) for name in ('x', *TERMS)),
        ('num_iters', ctypes.c_int64),
        ('num_threads', ctypes.c_int64),
        ('u', ctypes.c_void_p),
        ('grad_u_strides', ctypes.c_int64 * 3),
        *((name, ctypes.c_void_p) for name in ('grad_u', *GRADIENTS)),
    )

    @classmethod
    def of(cls, x: Tensor, terms: tuple[Tensor, ...], num_iters: int, **results: Tensor) -> _Problem:
        """The problem of x (N, C, T, H, W) and its terms; ``results`` are u or the gradients, by field."""
        problem = cls(*x.shape, num_iters=num_iters, num_threads=torch.get_num_threads())
        tensors = dict(zip(TERMS, (term.contiguous() for term in terms)), x=_with_whole_planes(x), **results)
        for name, tensor in tensors.items():
            setattr(problem, name, tensor.data_ptr())
            if name in ('x', 'grad_u'):
                setattr(problem, f'{name}_strides', (ctypes.c_int64 * 3)(*tensor.stride()[:3]))
        problem.tensors = tensors  # kept for as long as their addresses
        return problem


def call(function: str, problem: ctypes.Structure, x: Tensor) -> None:
    """Call the C function of that name for ``x``'s dtype; ``problem`` is its argument.

    Raises:
        NotImplementedError: If the library could not be built; the message says why.
        MemoryError: If there is no memory for the working planes.
    """
    library, failure = load()
    if library is None:
        raise NotImplementedError(f'{function}: {failure}')
    if getattr(library, f'{function}_{DTYPES[x.dtype]}')(ctypes.byref(problem)):
        raise MemoryError(f'{function}: no memory for the working planes of a tensor of shape {tuple(x.shape)}')


@functools.cache
def load() -> tuple[ctypes.CDLL | None, str]:
    """The library and '', or None and why there is none; warns in that case, once per process."""
    try:
        return load_library(), ''
    except RuntimeError as error:
        warnings.warn(f'repflow_mm: {error}; the slower reference runs on the CPU instead', stacklevel=2)
        return None, str(error)


def _with_whole_planes(tensor: Tensor) -> Tensor:
    """The tensor, copied only if its planes (H, W) are not contiguous: the kernel takes any strides of N, C, T."""
    return tensor if tensor.stride()[3:] == (tensor.shape[4], 1) else tensor.contiguous()
