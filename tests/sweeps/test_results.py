import numpy as np
import pytest
from torch.testing import assert_close

from repflow_mm.sweeps.results import Predictions, paired_difference

LABELS = np.array([0, 0, 0, 2])


def test_confusion_is_a_share_of_the_class():
    found = Predictions(LABELS, np.array([[0, 0, 1, 2], [0, 1, 1, 2]]), num_classes=3)
    expected = np.array([[3 / 6, 3 / 6, 0], [0, 0, 0], [0, 0, 1]])
    assert_close(found.confusion, expected)
    assert found.counts.tolist() == [[3, 3, 0], [0, 0, 0], [0, 0, 2]]
    assert found.mean_class_accuracy == pytest.approx((0.5 + 1) / 2)  # class 1 has no clips


def test_interval_is_that_of_the_binomial_distribution():
    generator = np.random.default_rng(1)
    labels = np.zeros(400, int)
    predicted = (generator.random((1, 400)) < 0.2).astype(int)  # 80 % right
    low, high = Predictions(labels, predicted, 2).interval()
    right = 1 - predicted.mean()
    half = 1.96 * (right * (1 - right) / 400) ** 0.5
    assert low == pytest.approx(right - half, abs=0.004) and high == pytest.approx(right + half, abs=0.004)
    assert Predictions(labels, predicted, 2).interval() == (low, high)


def test_seeds_do_not_narrow_the_interval_over_clips():
    predicted = np.array([[0, 1] * 20])
    one, three = (Predictions(np.zeros(40, int), np.repeat(predicted, seeds, axis=0), 2) for seeds in (1, 3))
    assert one.interval() == three.interval()
    assert Predictions(np.zeros(40, int), np.zeros((2, 40), int), 2).interval() == (1, 1)


def test_interval_of_a_difference_is_paired_by_seed_and_clip():
    labels = np.zeros(40, int)
    # Seeds are right about different halves of the clips; the second row is right about 4 clips more with each seed.
    halves = np.array([[0, 1] * 20, [1, 0] * 20])
    better = halves.copy()
    better[0, [1, 3, 5, 7]], better[1, [0, 2, 4, 6]] = 0, 0
    row, other = Predictions(labels, better, 2, (0, 1)), Predictions(labels, halves, 2, (0, 1))
    low, high = row.difference_interval(other)
    # The mean difference is half on 8 clips of 40, 0 on the others: their standard error is 3.2 points.
    assert 0.03 < low < 0.06 and 0.14 < high < 0.18
    swapped = Predictions(labels, better[::-1], 2, (1, 0))
    assert swapped.difference_interval(other) == (low, high)
    assert row.difference_interval(Predictions(labels, halves, 2, (2, 3))) is None
    assert row.difference_interval(Predictions(labels[1:], halves[:, 1:], 2, (0, 1))) is None


def test_interval_of_several_splits_is_that_of_the_mean_over_them():
    """Leaving one actor out, actors have different numbers of clips; each counts as much."""
    labels, wrong = np.zeros(100, int), np.array([[1] * 10 + [0, 1] * 45])
    low, high = Predictions(labels, wrong, 2, (0,), (10, 90)).interval()
    # No clip of the first split is right, whatever is drawn, half of the second's.
    half = 1.96 * (0.25 / 90) ** 0.5 / 2
    assert low == pytest.approx(0.25 - half, abs=0.006) and high == pytest.approx(0.25 + half, abs=0.006)
    row, other = (Predictions(labels, found, 2, (0,), (10, 90)) for found in (np.zeros((1, 100), int), wrong))
    low, high = row.difference_interval(other)
    assert low == pytest.approx(0.75 - half, abs=0.006) and high == pytest.approx(0.75 + half, abs=0.006)
    assert row.difference_interval(other._replace(sizes=(90, 10))) is None


def test_difference_is_paired_by_seed():
    # Seeds differ much, rows by 2 and 4 points: a standard error of sqrt(2) / sqrt(2).
    mean, error = paired_difference({0: 0.12, 1: 0.64, 2: 0.3}, {0: 0.10, 1: 0.60})
    assert mean == pytest.approx(0.03) and error == pytest.approx(0.01)
    assert paired_difference({0: 0.5}, {0: 0.25, 1: 0.4}) == (0.25, None)
    assert paired_difference({0: 0.5}, {1: 0.25}) is None
