"""Mixed precision on a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmaction.registry import OPTIM_WRAPPERS
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import nn

DTYPES = {'bfloat16': torch.bfloat16, 'float16': torch.float16}


@OPTIM_WRAPPERS.register_module()
class CpuAmpOptimWrapper(AmpOptimWrapper):
    """MMEngine's AmpOptimWrapper, which asks for an accelerator, on the CPU.

    bfloat16 has float32's range and needs no loss scale; float16 loses small gradients without one.

    Args:
        dtype (str): ``'bfloat16'`` or ``'float16'``. Defaults to ``'bfloat16'``.
        loss_scale (str | float | dict, optional): ``'dynamic'``, a scale that stays, or arguments of
            ``torch.amp.GradScaler``. Defaults to None, no scale.
        **kwargs: Arguments of MMEngine's OptimWrapper.

    Raises:
        ValueError: If ``dtype`` or ``loss_scale`` is another.
    """

    def __init__(self, dtype: str = 'bfloat16', loss_scale: str | float | dict | None = None, **kwargs) -> None:
        OptimWrapper.__init__(self, **kwargs)
        if dtype not in DTYPES:
            raise ValueError(f'dtype must be one of {tuple(DTYPES)}, got {dtype!r}')
        self.cast_dtype = DTYPES[dtype]
        self.loss_scaler = torch.amp.GradScaler('cpu', **_scaler_settings(loss_scale))
        self._scale_update_param = loss_scale if isinstance(loss_scale, float) else None

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Context of the forward pass."""
        with OptimWrapper.optim_context(self, model), torch.autocast('cpu', dtype=self.cast_dtype):
            yield


def _scaler_settings(loss_scale: str | float | dict | None) -> dict:
    """Arguments of a GradScaler."""
    if isinstance(loss_scale, dict):
        return loss_scale
    if isinstance(loss_scale, float):
        return dict(init_scale=loss_scale)
    if loss_scale not in (None, 'dynamic'):
        raise ValueError(f"loss_scale must be None, 'dynamic', a float or a dict, got {loss_scale!r}")
    return dict(enabled=loss_scale is not None)
