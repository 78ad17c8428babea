"""Launches of Triton kernels caught before they reach a device: what was compiled can be examined or emulated."""

from __future__ import annotations

import contextlib
import functools
import itertools
import time
from collections.abc import Callable, Iterator

import torch

CAPABILITY = 90
WARP = 32


class _Device:
    """What Triton asks of the active driver when it compiles."""

    _numbers = itertools.count(-1, -1)

    def __init__(self, capability: int):
        self.capability = capability
        self.number = next(self._numbers)  # no real device's, nor an earlier one's: Triton keeps what it compiled

    def get_current_target(self):
        from triton.backends.compiler import GPUTarget

        return GPUTarget('cuda', self.capability, WARP)

    def get_current_device(self) -> int:
        return self.number

    def get_current_stream(self, device: int) -> int:
        return 0


@contextlib.contextmanager
def replaced_launches(handle: Callable) -> Iterator[None]:
    """Within it, a launch calls ``handle`` instead of compiling and running.

    Args:
        handle (Callable): ``handle(kernel, grid, arguments, compile_it)``, with Triton's kernel, the number of programs
            along each axis, the arguments by name, compile-time constants among them, and a function that compiles
            the kernel for these arguments and returns what Triton made. A launch returns what ``handle`` returns.
    """
    from triton.runtime.jit import JITFunction

    original = JITFunction.run

    def run(self, *args, grid, warmup, **kwargs):
        compile_it = functools.partial(original, self, *args, grid=grid, warmup=True, **kwargs)
        return handle(self, grid, dict(zip(self.arg_names, args)) | kwargs, compile_it)

    JITFunction.run = run
    try:
        yield
    finally:
        JITFunction.run = original


@contextlib.contextmanager
def absent_device(capability: int = CAPABILITY) -> Iterator[None]:
    """Within it, Triton compiles for a GPU that need not be there, of that compute capability, times 10."""
    from triton.runtime import driver

    driver.set_active(_Device(capability))
    try:
        yield
    finally:
        if torch.cuda.is_available():
            driver.reset_active()


@contextlib.contextmanager
def intercepted_launches(handle: Callable, capability: int = CAPABILITY) -> Iterator[None]:
    """Within it, Triton compiles for a GPU that need not be there, and a launch goes to ``handle``.

    Args:
        handle (Callable): ``handle(compiled, grid, arguments, seconds)``, with Triton's compiled kernel, the number of
            programs along each axis, the arguments by name, compile-time constants among them, and how long it took
            to compile, or to find what was compiled before.
        capability (int): The GPU's compute capability, times 10. Defaults to 90.
    """

    def compile_and_hand_on(kernel, grid, arguments: dict, compile_it: Callable):
        start = time.perf_counter()
        compiled = compile_it()
        handle(compiled, grid, arguments, time.perf_counter() - start)
        return compiled

    with absent_device(capability), replaced_launches(compile_and_hand_on):
        yield
