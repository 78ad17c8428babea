import warnings

import pytest
import torch

from repflow_mm.compat import prepare_upstream
from repflow_mm.compat.batches import tell_of_padded_clips


def test_clips_that_are_padded_are_told():
    prepare_upstream()
    from mmaction.models import ActionDataPreprocessor

    tell_of_padded_clips()
    tell_of_padded_clips()
    preprocessor = ActionDataPreprocessor(format_shape='NCTHW')
    wide, high = torch.ones(1, 3, 2, 4, 6), torch.ones(1, 3, 2, 6, 4)  # (M, C, T, H, W)
    with pytest.warns(UserWarning, match='clips of a batch differ in size; .* keep_ratio=False, gives all of them one'):
        inputs, _ = preprocessor.preprocess([wide, high], None)
    assert inputs.shape == (2, 1, 3, 2, 6, 6)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        preprocessor.preprocess([wide, wide], None)
