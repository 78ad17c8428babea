"""Clips that come together in a batch."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from torch import Tensor

from repflow_mm.compat.patching import replace

PADDED = (
    'clips of a batch differ in size; the smaller ones are padded with zeros, so that what a network makes of a video '
    'depends on the others in its batch: a crop, or Resize with keep_ratio=False, gives all of them one size'
)


def tell_of_padded_clips() -> bool:
    """Warn once where clips are padded to the size of others (mmaction2 ``data_preprocessor.py``, no thread).

    Upstream does so without a word, also where a pipeline lacks a crop by mistake, or was made for videos of one shape.

    Returns:
        bool: Whether the workaround is in place.
    """
    from mmaction.models.data_preprocessors import data_preprocessor

    def make(upstream):
        def stack_batch(tensors: Sequence[Tensor], *args, **kwargs) -> Tensor:
            if len({tensor.shape for tensor in tensors}) > 1:
                warnings.warn(PADDED, stacklevel=2)
            return upstream(tensors, *args, **kwargs)

        return stack_batch

    replace(data_preprocessor, 'stack_batch', make)
    return True
