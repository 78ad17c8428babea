"""Testing on many views."""

from __future__ import annotations

from repflow_mm.compat.patching import replace


def divide_views_of_any_batch() -> bool:
    """Let ``max_testing_views`` divide the views of batches too (mmaction2 ``recognizer3d.py``, no thread).

    Upstream asserts a batch of one, although it concatenates the views in their order, and validation, which has the
    same settings as testing, has larger batches.

    Returns:
        bool: Whether the workaround is in place.
    """
    from mmaction.models.recognizers import Recognizer3D

    def make(upstream):
        def extract_feat(self, inputs, stage='neck', data_samples=None, test_mode=False):
            if test_mode:
                inputs = inputs.reshape(1, -1, *inputs.shape[2:])  # (N, M, C, T, H, W) -> (1, N*M, C, T, H, W)
            return upstream(self, inputs, stage, data_samples, test_mode)

        return extract_feat

    replace(Recognizer3D, 'extract_feat', make)
    return True
