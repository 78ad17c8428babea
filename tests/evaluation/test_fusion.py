import pickle

import numpy as np
import pytest
import torch

from repflow_mm.evaluation.fusion import Scores, check_same_samples, fuse, load_scores, top_k


def sample(name, label, score):
    return dict(filename=name, gt_label=torch.tensor([label]), pred_score=torch.tensor(score))


def dump(path, samples):
    path.write_bytes(pickle.dumps(samples))
    return path


def scores(names=('a', 'b'), labels=(0, 1), probabilities=((0.9, 0.1), (0.4, 0.6))):
    return Scores(tuple(names), np.array(labels), np.array(probabilities))


def test_samples_are_matched_by_name_whatever_their_order(tmp_path):
    samples = [sample('b', 1, [0.4, 0.6]), sample('a', 0, [0.9, 0.1])]
    forward, backward = (
        load_scores(dump(tmp_path / f'{i}.pkl', order)) for i, order in enumerate((samples, samples[::-1]))
    )
    assert forward.names == backward.names == ('a', 'b')
    np.testing.assert_array_equal(forward.labels, [0, 1])
    np.testing.assert_allclose(forward.probabilities, [[0.9, 0.1], [0.4, 0.6]], atol=1e-6)
    np.testing.assert_array_equal(forward.probabilities, backward.probabilities)


def test_scores_become_probabilities(tmp_path):
    loaded = load_scores(dump(tmp_path / 'a.pkl', [sample('a', 0, [2.0, 0.0])]))
    np.testing.assert_allclose(loaded.probabilities, [[np.exp(2) / (np.exp(2) + 1), 1 / (np.exp(2) + 1)]])


def test_fusion_is_the_weighted_mean():
    other = scores(probabilities=((0.1, 0.9), (0.2, 0.8)))
    np.testing.assert_allclose(fuse([scores(), other]), [[0.5, 0.5], [0.3, 0.7]])
    np.testing.assert_allclose(fuse([scores(), other], [3, 1]), [[0.7, 0.3], [0.35, 0.65]])


def test_top_k():
    probabilities = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    assert top_k(probabilities, np.array([0, 1])) == 0.5
    assert top_k(probabilities, np.array([0, 1]), k=2) == 1.0


@pytest.mark.parametrize(
    ('other', 'message'),
    [
        (scores(names=('a', 'c')), 'b is only in one'),
        (scores(labels=(0, 0)), 'disagree on the label of b: 1 and 0'),
        (scores(probabilities=((0.2, 0.3, 0.5), (0.2, 0.3, 0.5))), 'different numbers of classes: 2 and 3'),
    ],
    ids=['samples', 'labels', 'classes'],
)
def test_first_difference_is_named(other, message):
    with pytest.raises(ValueError, match=message):
        check_same_samples({'one': scores(), 'two': other})


@pytest.mark.parametrize('weights', [[1], [-1, 2], [0, 0]])
def test_bad_weights_are_quoted(weights):
    with pytest.raises(ValueError, match='weights must be 2 numbers >= 0, not all 0, got'):
        fuse([scores(), scores()], weights)


def test_files_that_are_no_dumps(tmp_path):
    with pytest.raises(FileNotFoundError, match='score file .* does not exist'):
        load_scores(tmp_path / 'missing.pkl')
    with pytest.raises(ValueError, match='is no dump of tools/test.py: expected a list of samples, got dict'):
        load_scores(dump(tmp_path / 'dict.pkl', {}))
    nameless = [dict(gt_label=torch.tensor([0]), pred_score=torch.tensor([1.0]))]
    with pytest.raises(ValueError, match=r"samples lack \['filename'\]; names need meta_keys"):
        load_scores(dump(tmp_path / 'nameless.pkl', nameless))
    with pytest.raises(ValueError, match='2 samples have only 1 different names'):
        load_scores(dump(tmp_path / 'twice.pkl', [sample('a', 0, [0.5, 0.5])] * 2))
