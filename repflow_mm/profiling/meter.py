"""A quantity that only grows, such as time, divided among the parts of a program that run."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

# Name of a part: the modules whose calls are it.
Parts = Mapping[str, Sequence[nn.Module]]


class Meter:
    """Books what a reading grows by to the part that runs: of parts inside of each other, to the innermost.

    Args:
        read (Callable): Gives the reading.

    Attributes:
        amounts: What each part has had, by its name.
    """

    def __init__(self, read: Callable[[], float]) -> None:
        self.read = read
        self.amounts: dict[str, float] = defaultdict(int)
        self._running: list[str] = []
        self._last = None

    def enter(self, name: str) -> None:
        """A part begins."""
        self._book()
        self._running.append(name)

    def leave(self) -> None:
        """The innermost part ends."""
        self._book()
        self._running.pop()

    def _book(self) -> None:
        reading = self.read()
        if self._running:
            self.amounts[self._running[-1]] += reading - self._last
        self._last = reading

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Within, a part runs."""
        self.enter(name)
        try:
            yield
        finally:
            self.leave()

    @contextmanager
    def watching(self, parts: Parts) -> Iterator[None]:
        """Within, a call of a module is its part."""
        with ExitStack() as stack:
            for name, modules in parts.items():
                for module in modules:
                    for handle in self._hooks(module, name):
                        stack.callback(handle.remove)
            yield

    def _hooks(self, module: nn.Module, name: str) -> tuple:
        # Before and after all other hooks: a flow block may be one of them.
        before = module.register_forward_pre_hook(lambda *_: self.enter(name), prepend=True)
        return before, module.register_forward_hook(lambda *_: self.leave())

    @contextmanager
    def watching_backward(self, parts: Parts) -> Iterator[None]:
        """Within, the backward pass of a module's call is its part.

        It lasts from the gradient of the output to that of the input, between which autograd runs nothing else, as it
        goes back in the order of the forward pass. Where the input has no gradient, the first parameter's is the end.
        """
        with ExitStack() as stack:
            for name, modules in parts.items():
                for module in modules:
                    stack.callback(module.register_forward_hook(self._gradient_hook(name)).remove)
            yield

    def _gradient_hook(self, name: str) -> Callable:
        """A forward hook that watches the gradients of one call."""

        def hook(module: nn.Module, args: tuple, output: Tensor) -> None:
            ends = [tensor for tensor in (args[0], *module.parameters()) if tensor.requires_grad]
            if not (output.requires_grad and ends):
                return
            output.register_hook(lambda gradient: self.enter(name))
            if ends[0] is args[0]:
                args[0].register_hook(lambda gradient: self.leave())
            else:
                self._leave_once(ends[0])

        return hook

    def _leave_once(self, parameter: nn.Parameter) -> None:
        """Leave the running part at a parameter's next gradient."""

        def leave(gradient: Tensor) -> None:
            handle.remove()
            self.leave()

        handle = parameter.register_hook(leave)

    @contextmanager
    def watching_method(self, owner: object, method: str, name: str) -> Iterator[None]:
        """Within, a call of an object's method is a part."""
        call = getattr(owner, method)

        def watched(*args, **kwargs):
            with self.part(name):
                return call(*args, **kwargs)

        setattr(owner, method, watched)
        try:
            yield
        finally:
            delattr(owner, method)


def clock(device: str | torch.device) -> Callable[[], float]:
    """Reads the time in seconds, once the device has done what it was given."""
    if torch.device(device).type != 'cuda':
        return time.perf_counter

    def read() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return read
