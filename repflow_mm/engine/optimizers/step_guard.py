"""Steps of an optimizer that are skipped where the loss or the gradient is not finite."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from types import MethodType

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from repflow_mm.ops.compiler import run_eagerly


class StepGuard:
    """Lets an optimizer wrapper leave out the steps whose loss or gradient is not finite, buffers included.

    The model's parameters, its buffers (such as a BatchNorm's running statistics, which the forward pass has moved)
    and the optimizer's state are those of before the step then. The gradient alone decides, which all processes of a
    distributed run have alike: a loss that is not finite, in any of them, makes it NaN.

    Reading the gradient costs a pass over it, and on a GPU one wait for it; neither where the wrapper clips by the
    gradient's norm, as that has been computed and waited for.

    Args:
        wrapper (OptimWrapper): The optimizer wrapper; its ``backward`` and its optimizer's ``step`` are wrapped.
        model (nn.Module): The model that it trains.
    """

    def __init__(self, wrapper: OptimWrapper, model: nn.Module) -> None:
        self.wrapper = wrapper
        self._buffers = list(model.buffers())
        self._kept = [buffer.clone() for buffer in self._buffers]
        self._stepped = self._is_whole = True
        self._backward, self._step = wrapper.backward, wrapper.optimizer.step
        wrapper.backward = self._backward_of_checked
        # A bound method, as a learning rate schedule that is made later would expect.
        step = functools.wraps(self._step)(lambda optimizer, *args, **kwargs: self._step_if_finite(*args, **kwargs))
        wrapper.optimizer.step = MethodType(step, wrapper.optimizer)

    def begin(self) -> None:
        """Keep the buffers; to be called before the forward pass."""
        if self._is_whole and self._buffers:  # not within an accumulation of gradients
            with torch.no_grad():
                torch._foreach_copy_(self._kept, self._buffers)
        self._stepped = False

    def was_skipped(self) -> bool:
        """Whether there was to be a step and was none; the buffers are as before then. To be called after the step."""
        self._is_whole = self.wrapper.should_update()
        if self._stepped or not self._is_whole:
            return False
        if self._buffers:
            with torch.no_grad():
                torch._foreach_copy_(self._buffers, self._kept)
        return True

    @property
    def is_searching_scale(self) -> bool:
        """Whether a skipped step is no more than the search of mixed precision for the scale of its loss.

        The scale halves with each such step; below 1 there is nothing to be found.
        """
        scaler = getattr(self.wrapper, 'loss_scaler', None)
        is_dynamic = scaler is not None and scaler.is_enabled() and self.wrapper._scale_update_param is None
        return is_dynamic and scaler.get_scale() >= 1

    def _backward_of_checked(self, loss: Tensor, **kwargs) -> None:
        # 1 for a finite loss, which changes no bit; else NaN, and with it every gradient.
        self._backward(loss * (0 * loss.detach() + 1), **kwargs)

    @run_eagerly
    def _step_if_finite(self, *args, **kwargs) -> object:
        if not self._has_finite_gradient():
            return None
        self._stepped = True
        return self._step(*args, **kwargs)

    def _has_finite_gradient(self) -> bool:
        if self.wrapper.clip_grad_kwargs and self.wrapper.grad_name == 'grad_norm':
            return math.isfinite(self.wrapper.message_hub.get_scalar('train/grad_norm').current())
        groups = self.wrapper.optimizer.param_groups
        return are_finite(p.grad for group in groups for p in group['params'] if p.grad is not None)


def are_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether all numbers of floating-point tensors are finite."""
    by_kind: dict[tuple, list[Tensor]] = {}
    for tensor in tensors:
        tensor = tensor.detach()
        tensor = tensor.coalesce().values() if tensor.is_sparse else tensor
        if tensor.numel():
            by_kind.setdefault((tensor.device.type, tensor.dtype), []).append(tensor)
    return all(_all_finite(device, dtype, group) for (device, dtype), group in by_kind.items())


def _all_finite(device: str, dtype: torch.dtype, tensors: list[Tensor]) -> bool:
    """Whether tensors of one device and dtype are finite, by one number of each that only finite ones keep finite."""
    if device == 'cpu':
        # A sum is the quickest to find on a CPU; half precision cannot hold one.
        wide = torch.promote_types(dtype, torch.float32)
        return all(math.isfinite(tensor.sum(dtype=wide).item()) for tensor in tensors)
    return bool(torch.stack(torch._foreach_norm(tensors, math.inf)).isfinite().all())
