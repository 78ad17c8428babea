"""Scaling of features to the solver's range of values."""

from __future__ import annotations

import torch
from torch import Tensor

from repflow_mm.ops.arguments import at_least_float32, check_clips

SCOPES = ('clip', 'batch', 'clip_rms')
# Near the standard deviation of values that fill [0, 255] evenly, 74.
RMS = 64


def normalize_flow_input(x: Tensor, scope: str = 'clip') -> Tensor:
    """Scale features to [0, 255]: ``(x - min) / (max - min) * 255``, or to a root mean square.

    The solver does not change under an offset of its input but does under scale, so the range matters (the values
    of theta, lam and tau belong to it).

    Args:
        x (Tensor): Features (N, C, T, H, W), floating point; half precision is scaled in float32.
        scope (str): ``'clip'`` takes minimum and maximum over each clip, so that no clip depends on its batch
            mates; ``'batch'`` over all clips, as the authors' released layer does; ``'clip_rms'`` brings each clip to
            a mean of 0 and a root mean square of 64 instead, which a few large values hardly move.
            Defaults to ``'clip'``.

    Returns:
        Tensor: Same shape, float32 for half-precision input and of x's dtype else. Constant input gives zeros.

    Raises:
        TypeError: If ``x`` is no floating-point tensor.
        ValueError: If ``x`` does not have 5 dimensions or ``scope`` is unknown.
    """
    check_clips(x)
    if scope not in SCOPES:
        raise ValueError(f'scope must be one of {SCOPES}, got {scope!r}')
    x = at_least_float32(x)
    if x.numel() == 0:
        return x
    dims = (0, 1, 2, 3, 4) if scope == 'batch' else (1, 2, 3, 4)
    low, high = x.amin(dims, keepdim=True), x.amax(dims, keepdim=True)  # (N or 1, 1, 1, 1, 1)
    span = high - low
    # A span this small counts as constant: 255 / span, the gradient, would overflow.
    smallest = torch.finfo(x.dtype).tiny / torch.finfo(x.dtype).eps
    x = (x - low) / torch.where(span > smallest, span, torch.ones_like(span))
    return _scaled_to_rms(x) if scope == 'clip_rms' else x * 255


def _scaled_to_rms(x: Tensor) -> Tensor:
    """Clips of values in [0, 1] brought to a mean of 0 and the root mean square ``RMS``; constant ones to 0."""
    x = x - x.mean((1, 2, 3, 4), keepdim=True)
    variance = x.square().mean((1, 2, 3, 4), keepdim=True)  # (N, 1, 1, 1, 1)
    return x * (RMS / torch.where(variance > 0, variance, torch.ones_like(variance)).sqrt())
