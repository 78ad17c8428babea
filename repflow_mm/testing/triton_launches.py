"""Launches of Triton kernels caught before they reach a device: what was compiled can be examined or emulated."""

from __future__ import annotations

import contextlib
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
def intercepted_launches(handle: Callable, capability: int = CAPABILITY) -> Iterator[None]:
    """Within it, Triton compiles for a GPU that need not be there, and a launch goes to ``handle``.

    Args:
        handle (Callable): ``handle(compiled, grid, arguments, seconds)``, with Triton's compiled kernel, the number of
            programs along each axis, the arguments by name, compile-time constants among them, and how long it took
            to compile, or to find what was compiled before.
        capability (int): The GPU's compute capability, times 10. Defaults to 90.
    """
    from triton.runtime import driver
    from triton.runtime.jit import JITFunction

    compile_only = JITFunction.run

    def run(self, *args, grid, warmup, **kwargs):
        start = time.perf_counter()
        compiled = compile_only(self, *args, grid=grid, warmup=True, **kwargs)
        seconds = time.perf_counter() - start
        handle(compiled, grid, dict(zip(self.arg_names, args)) | kwargs, seconds)
        return compiled

    driver.set_active(_Device(capability))
    JITFunction.run = run
    try:
        yield
    finally:
        JITFunction.run = compile_only
        if torch.cuda.is_available():
            driver.reset_active()
