"""Heads in mixed precision."""

from __future__ import annotations

import torch

from repflow_mm.compat.patching import replace


def accept_bfloat16_scores() -> bool:
    """Let heads train under bfloat16 autocast (mmaction2 ``models/heads/base.py``, no thread).

    Upstream computes the training accuracy in NumPy, which has no bfloat16.

    Returns:
        bool: Whether the workaround is in place.
    """
    from mmaction.models.heads import BaseHead

    def make(upstream):
        def loss_by_feat(self, cls_scores, data_samples):
            is_bfloat16 = isinstance(cls_scores, torch.Tensor) and cls_scores.dtype == torch.bfloat16
            return upstream(self, cls_scores.float() if is_bfloat16 else cls_scores, data_samples)

        return loss_by_feat

    replace(BaseHead, 'loss_by_feat', make)
    return True
