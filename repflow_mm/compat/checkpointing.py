"""Activation checkpointing, by which a part of a network computes its forward pass again in the backward pass."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.module import register_module_forward_pre_hook

from repflow_mm.compat.patching import replace


def checkpoint_without_traces() -> bool:
    """Let ``with_cp`` and ``activation_checkpointing`` move running statistics once a step (backbones, no thread).

    Upstream's second forward pass moves those of BatchNorm once more, and its reentrant form, torch's default, marks
    parameters ready twice in a distributed run that finds unused ones.

    Returns:
        bool: Whether the workaround is in place.
    """
    import mmaction.models.backbones as backbones
    import mmengine.runner.activation_checkpointing as of_runner

    of_runner.checkpoint = checkpoint
    upstream, ours = sys.modules['torch.utils.checkpoint'], SimpleNamespace(checkpoint=checkpoint)
    for module in [module for name, module in sys.modules.items() if name.startswith(f'{backbones.__name__}.')]:
        for name in [name for name, value in vars(module).items() if value is upstream]:
            setattr(module, name, ours)
    return True


def checkpoint_basic_blocks() -> bool:
    """Let 2D ResNets of basic blocks, of depth 18 or 34, checkpoint them too (mmaction2 ``resnet.py``, no thread).

    Upstream asserts that ``with_cp`` is not set.

    Returns:
        bool: Whether the workaround is in place.
    """
    from mmaction.models.backbones.resnet import BasicBlock

    def make_init(upstream):
        def init(self, *args, with_cp: bool = False, **kwargs):
            upstream(self, *args, **kwargs)
            self.with_cp = with_cp

        return init

    def make_forward(upstream):
        def forward(self, x):
            if self.with_cp and x.requires_grad:
                return checkpoint(lambda x: upstream(self, x), x)
            return upstream(self, x)

        return forward

    replace(BasicBlock, '__init__', make_init)
    replace(BasicBlock, 'forward', make_forward)
    return True


def checkpoint(function: Callable, *args: Any) -> Any:
    """Call a function without keeping its activations, which are computed again in the backward pass.

    The gradients and the running statistics are those of a plain call.

    Args:
        function (Callable): The function; buffers other than running statistics should stay as they are in it.
        *args: Its arguments.

    Returns:
        Any: What it returns.
    """
    # What torch.compile recomputes is a graph without such traces, and it takes no contexts.
    of_both_passes = {} if torch.compiler.is_compiling() else dict(context_fn=lambda: _contexts(function))
    return torch.utils.checkpoint.checkpoint(function, *args, use_reentrant=False, **of_both_passes)


def _contexts(function: Callable) -> tuple[AbstractContextManager, AbstractContextManager]:
    """Contexts of the first forward pass and of the second."""
    return nullcontext(), _kept_statistics(function)


@contextmanager
def _kept_statistics(function: Callable) -> Iterator[None]:
    """Have the normalizations that a function calls, or is of, move copies of their running statistics.

    The originals are put back at the end and not after each module: torch breaks a forward pass off once it has all
    that it needs, in the middle of a module.
    """
    originals: list[tuple[nn.Module, dict]] = []

    def put_copies(module: nn.Module | None, args: tuple) -> None:
        if isinstance(module, _NormBase) and module.training and module.track_running_stats:
            buffers = {name: buffer for name, buffer in module._buffers.items() if buffer is not None}
            originals.append((module, buffers))
            module._buffers.update({name: buffer.clone() for name, buffer in buffers.items()})

    put_copies(getattr(function, '__self__', None), ())  # a module's own forward, for which torch calls no hook
    handle = register_module_forward_pre_hook(put_copies)
    try:
        yield
    finally:
        handle.remove()
        for module, buffers in reversed(originals):
            module._buffers.update(buffers)
