"""Where the tests run the Triton kernels, and what they run there."""

import contextlib
import functools
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple
from unittest import mock

import torch
from ptx_emulator import emulated_launches

from repflow_mm.testing.parity import evaluate
from repflow_mm.testing.solver_cases import triton_solver


class Mode(NamedTuple):
    """A way to run kernels.

    ``run(function, *args, **kwargs)`` calls a function of a module in it; ``device`` is that of the kernels' tensors.
    """

    name: str
    device: str
    run: Callable


@contextlib.contextmanager
def interpreter():
    """Triton's interpreter, in a process of its own: it must be asked for before Triton's import."""
    with ProcessPoolExecutor(1, get_context('spawn')) as executor:
        with mock.patch.dict(os.environ, TRITON_INTERPRET='1'):
            executor.submit(int).result()  # starts the process
        yield Mode('interpreter', 'cpu', lambda *args, **kwargs: executor.submit(*args, **kwargs).result())


@contextlib.contextmanager
def emulator():
    """The compiled code, in the emulator of PTX; what ptxas would make of that is of no concern here."""
    with mock.patch.dict(os.environ, DISABLE_PTXAS_OPT='1'), emulated_launches():
        yield Mode('emulator', 'cpu', lambda function, *args, **kwargs: function(*args, **kwargs))


@contextlib.contextmanager
def device():
    """A GPU."""
    yield Mode('device', 'cuda', lambda function, *args, **kwargs: function(*args, **kwargs))


def solve(inputs, grad_u, num_iters, tile=None, device='cpu'):
    """u and the gradients of the seven inputs by name, on the CPU."""
    solver = functools.partial(triton_solver, tile=tile)
    results = evaluate(solver, [tensor.to(device) for tensor in inputs], grad_u.to(device), num_iters)
    return {name: result.cpu() for name, result in results.items()}


def solve_into_nan(*args, **kwargs):
    """As ``solve``, into memory full of NaN."""
    new_empty, empty_like = torch.Tensor.new_empty, torch.empty_like
    with (
        mock.patch.object(torch.Tensor, 'new_empty', lambda *a, **k: new_empty(*a, **k).fill_(torch.nan)),
        mock.patch.object(torch, 'empty_like', lambda *a, **k: empty_like(*a, **k).fill_(torch.nan)),
    ):
        return solve(*args, **kwargs)


def solve_within(num_bytes, *args, **kwargs):
    """As ``solve``, with that many bytes for what lies between launches."""
    from repflow_mm.ops.triton import forward

    with mock.patch.object(forward, 'scratch_bytes', lambda device: num_bytes):
        return solve(*args, **kwargs)
