"""The precision that the solver works in."""

from __future__ import annotations

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """``x`` in float32 if it has half precision, which cannot hold the norms of small gradients, else ``x`` itself."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
