import numpy as np
import pytest

from repflow_mm.compat import prepare_upstream
from repflow_mm.compat.metrics import average_over_classes_that_occur


def test_a_class_without_samples_does_not_count():
    """Two clips of class 0, one of class 2, and one of those is taken for class 1, which the list lacks."""
    prepare_upstream()
    from mmaction.evaluation import AccMetric

    average_over_classes_that_occur()
    average_over_classes_that_occur()
    scores = [np.eye(4)[predicted] for predicted in (0, 1, 2)]
    assert AccMetric().calculate(scores, [0, 0, 2])['mean1'] == pytest.approx((1 / 2 + 1) / 2)
    assert AccMetric().calculate(scores, [0, 1, 2])['mean1'] == 1
