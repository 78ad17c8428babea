"""Networks that are wrapped for distributed training."""

from __future__ import annotations

from mmengine.model import is_model_wrapper
from torch import nn


def unwrapped(model: nn.Module) -> nn.Module:
    """The network inside of a wrapper such as DistributedDataParallel; one without a wrapper as it is."""
    return model.module if is_model_wrapper(model) else model
