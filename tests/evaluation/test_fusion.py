import pickle

import numpy as np
import pytest
import torch
from mmaction.evaluation import mean_average_precision as upstream_precision

from repflow_mm.datasets.flow.extraction import name_flow_of_list
from repflow_mm.datasets.flow.frames import FORMATS
from repflow_mm.datasets.lists.list_files import ListEntry
from repflow_mm.evaluation.fusion import (
    Scores,
    check_same_samples,
    fuse,
    load_scores,
    mean_average_precision,
    mean_class_accuracy,
    search_weights,
    top_k,
    weight_grid,
)


def sample(name, label, score):
    return dict(filename=name, gt_label=torch.tensor([label]), pred_score=torch.tensor(score))


def frames(name, label, score):
    values = sample(name, label, score)
    return dict(frame_dir=values.pop('filename'), **values)


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


def test_parts_of_a_video_are_samples(tmp_path):
    parts = [dict(sample('v/a.b.mp4', 1, [0.5, 0.5]), offset=offset) for offset in (9, 0)]
    assert load_scores(dump(tmp_path / 'videos.pkl', parts)).names == ('v/a.b@0.mp4', 'v/a.b@9.mp4')
    parts = [dict(frames('v/a.b', 1, [0.5, 0.5]), offset=offset) for offset in (9, 0)]
    assert load_scores(dump(tmp_path / 'frames.pkl', parts)).names == ('v/a.b@0', 'v/a.b@9')


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


VIDEOS = ['videos_val/b c/x.1.mp4', 'videos_val/b c/x-2.MP4', 'videos_val/b c/x.mp4', 'videos_val/a/v_1.avi']
FRAMES = ['/flow/val/b_c/x.1', '/flow/val/b_c/x-2', '/flow/val/b_c/x', '/flow/val/a/v_1']


def load_streams(tmp_path, videos, folders, labels=(0, 1, 0, 1)):
    """Dumps of a stream that reads videos and of one that reads folders of frames, in another order."""
    rgb = [sample(name, label, [0.1 * i, 1 - 0.1 * i]) for i, (name, label) in enumerate(zip(videos, labels))]
    flow = [frames(name, label, [0.1 * i, 1 - 0.1 * i]) for i, (name, label) in enumerate(zip(folders, labels))]
    return load_scores(dump(tmp_path / 'rgb.pkl', rgb)), load_scores(dump(tmp_path / 'flow.pkl', flow[::-1]))


@pytest.mark.parametrize('suffix', ['', '.mp4'], ids=['folders', 'files'])
def test_videos_and_their_frames_in_another_folder_are_the_same_samples(tmp_path, suffix):
    rgb, flow = load_streams(tmp_path, VIDEOS, [f'{name}{suffix}' for name in FRAMES])
    for runs in (dict(rgb=rgb, flow=flow), dict(flow=flow, rgb=rgb), dict(rgb=rgb, flow=flow, again=rgb)):
        check_same_samples(runs)
    np.testing.assert_allclose(rgb.probabilities, flow.probabilities)
    np.testing.assert_array_equal(rgb.labels, flow.labels)
    np.testing.assert_allclose(fuse([rgb, flow]), rgb.probabilities)


@pytest.mark.parametrize('format', FORMATS)
def test_names_that_the_extraction_gives_are_matched(tmp_path, format):
    videos = ['b c/x.1.mp4', 'b c/x-2.webm', 'b c/x.MP4', 'a/no_suffix', "a/it's (1) [2].avi"]
    entries = [ListEntry(i, name, 0) for i, name in enumerate(videos)]
    names = [f'flow/{name}' for name in name_flow_of_list('list.txt', 'videos', entries, format)[0].values()]
    rgb, flow = load_streams(tmp_path, [f'videos/{name}' for name in videos], names, labels=(0, 1, 0, 1, 1))
    check_same_samples(dict(rgb=rgb, flow=flow))
    np.testing.assert_allclose(rgb.probabilities, flow.probabilities)


@pytest.mark.parametrize(
    ('videos', 'folders'), [(['a/x.mp4'], ['f/a/x']), (['x.mp4'], ['f/x']), (['x.mp4', 'a/y.mp4'], ['f/x', 'f/a/y'])]
)
def test_frames_of_few_samples(tmp_path, videos, folders):
    rgb, flow = load_streams(tmp_path, videos, folders)
    check_same_samples(dict(rgb=rgb, flow=flow))


@pytest.mark.parametrize(
    ('folders', 'message'),
    [
        ([*FRAMES[:3], '/flow/val/a/v_2'], 'rgb and flow have different samples: a/v_1 is only in rgb'),
        ([*FRAMES[:3], '/flow/val/c/v_1'], 'different samples: a/v_1 is only in rgb'),
        (FRAMES[1:], 'different samples: b_c/x.1 is only in rgb'),
        ([*FRAMES, '/flow/val/a/w'], 'different samples: a/w is only in flow'),
    ],
)
def test_frames_of_other_videos_are_refused(tmp_path, folders, message):
    labels = dict(zip(FRAMES, (0, 1, 0, 1)))
    rgb, _ = load_streams(tmp_path, VIDEOS, FRAMES)
    samples = [frames(name, labels.get(name, 0), [0.5, 0.5]) for name in folders]
    with pytest.raises(ValueError, match=message):
        check_same_samples(dict(rgb=rgb, flow=load_scores(dump(tmp_path / 'other.pkl', samples))))


def test_frames_with_other_labels_are_refused(tmp_path):
    rgb, _ = load_streams(tmp_path, VIDEOS, FRAMES)
    _, flow = load_streams(tmp_path, VIDEOS, FRAMES, labels=(0, 1, 0, 0))
    with pytest.raises(ValueError, match='rgb and flow disagree on the label of a/v_1: 1 and 0'):
        check_same_samples(dict(rgb=rgb, flow=flow))


def test_videos_that_share_a_name_are_not_one_folder(tmp_path):
    rgb, flow = load_streams(tmp_path, ['a/x.mp4', 'a/x.avi', 'a/y.avi'], ['f/x', 'f/y'])
    with pytest.raises(ValueError, match='different samples: x is only in rgb'):
        check_same_samples(dict(rgb=rgb, flow=flow))


def test_videos_of_two_folders_are_different_samples():
    train, val = (scores(names=(f'{split}/a.mp4', f'{split}/b.mp4')) for split in ('train', 'val'))
    with pytest.raises(ValueError, match=r'different samples: train/a\.mp4 is only in one'):
        check_same_samples({'one': train, 'two': val})


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
        load_scores(dump(tmp_path / 'twice.pkl', [sample('a', 0, [0.5, 0.5]), sample('a', 0, [0.4, 0.6])]))


def test_what_a_list_repeats_counts_as_often(tmp_path):
    """Lists may repeat a line, and the sample has the same scores then, but for rounding."""
    samples = [sample('a', 0, [0.9, 0.1]), sample('b', 1, [0.8, 0.2]), sample('a', 0, [0.9001, 0.0999])]
    run = load_scores(dump(tmp_path / 'repeated.pkl', samples))
    assert run.names == ('a', 'a (2)', 'b') and top_k(run.probabilities, run.labels) == 2 / 3
    other = load_scores(dump(tmp_path / 'order.pkl', samples[::-1]))
    check_same_samples(dict(one=run, other=other))


def test_logits_and_probabilities_can_be_mixed(tmp_path):
    """Against softmax by hand: e / (e + 1) for a difference of 1."""
    logits = load_scores(dump(tmp_path / 'logits.pkl', [sample('a', 0, [3.0, 2.0]), sample('b', 1, [-5.0, -4.0])]))
    mixed = load_scores(dump(tmp_path / 'probabilities.pkl', [sample('a', 0, [0.5, 0.5]), sample('b', 1, [0.9, 0.1])]))
    high = np.e / (np.e + 1)
    expected = [[(high + 0.5) / 2, (1 - high + 0.5) / 2], [(1 - high + 0.9) / 2, (high + 0.1) / 2]]
    np.testing.assert_allclose(fuse([logits, mixed]), expected, atol=1e-6)


def test_damaged_files(tmp_path):
    path = dump(tmp_path / 'cut.pkl', [sample('a', 0, [0.5, 0.5])])
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ValueError, match=r'cut\.pkl is damaged, or no pickle file'):
        load_scores(path)
    path.write_bytes(b'')
    with pytest.raises(ValueError, match=r'cut\.pkl is damaged, or no pickle file'):
        load_scores(path)


def test_mean_class_accuracy_weighs_classes_alike():
    """Class 0: 3 of 4 are right; class 2: 0 of 1; class 1 does not occur."""
    probabilities = np.eye(3)[[0, 0, 0, 1, 1]]
    assert mean_class_accuracy(probabilities, np.array([0, 0, 0, 0, 2])) == pytest.approx(3 / 8)


class TestSearch:
    def test_grid(self):
        candidates, steps = weight_grid(2)
        assert steps == 20
        assert candidates == [(1, 1), *((n, 20 - n) for n in range(20, -1, -1))]
        candidates, steps = weight_grid(3)
        assert steps == 20 and len(set(candidates)) == len(candidates) == 1 + 21 * 22 // 2
        assert all(sum(weights) == 20 for weights in candidates[1:]) and candidates[0] == (1, 1, 1)

    @pytest.mark.parametrize(('num_runs', 'steps'), [(4, 20), (5, 10), (6, 5), (9, 5), (10, 2), (100, 1)])
    def test_step_keeps_the_number_of_candidates_small(self, num_runs, steps):
        candidates, found = weight_grid(num_runs)
        assert found == steps
        assert len(candidates) <= 2001

    def test_finds_the_only_weights_that_are_right_everywhere(self):
        """Sample a needs more than 0.72 for the first run, b less than 0.78: on the grid 0.75 alone."""
        first = scores(probabilities=((0.64, 0.36), (0.61, 0.39)))
        second = scores(probabilities=((0.14, 0.86), (0.11, 0.89)))
        weights, steps = search_weights([first, second])
        assert (weights, steps) == ([0.75, 0.25], 20)
        assert search_weights([second, first])[0] == [0.25, 0.75]

    def test_equally_good_weights_are_as_even_as_can_be(self):
        right, wrong = ((0.9, 0.1), (0.2, 0.8)), ((0.45, 0.55), (0.6, 0.4))
        assert search_weights([scores(), scores()])[0] == [0.5, 0.5]
        three = [scores(probabilities=right), scores(probabilities=wrong), scores(probabilities=wrong)]
        assert search_weights(three)[0] == [1 / 3] * 3

    def test_of_equally_even_weights_the_first_run_has_more(self):
        """Sample a is right from a weight of 0.53 on, b up to 0.47: 0.55 and 0.45 are as good and as even."""
        runs = [scores(labels=(0, 0), probabilities=p) for p in (((0.95, 0.05), (0, 1)), ((0, 1), (0.95, 0.05)))]
        assert search_weights(runs)[0] == [0.55, 0.45]
        assert search_weights(runs[::-1])[0] == [0.55, 0.45]


class TestSeveralLabels:
    def run(self, tmp_path, labels, scores, name='a'):
        samples = [
            dict(filename=f'{i}.mp4', gt_label=torch.tensor(label), pred_score=torch.tensor(score))
            for i, (label, score) in enumerate(zip(labels, scores))
        ]
        return load_scores(dump(tmp_path / f'{name}.pkl', samples))

    def test_scores_and_labels(self, tmp_path):
        run = self.run(tmp_path, [[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]], [[0.9, 0.2, 0.8], [0.1, 0.0, 1.0]])
        assert run.has_several_labels and run.labels.tolist() == [[True, False, True], [False, False, True]]
        np.testing.assert_allclose(run.probabilities, [[0.9, 0.2, 0.8], [0.1, 0.0, 1.0]], atol=1e-6)

    def test_logits_become_probabilities_of_each_class(self, tmp_path):
        run = self.run(tmp_path, [[1.0, 0.0]], [[800.0, -2.0]])
        np.testing.assert_allclose(run.probabilities, [[1.0, 1 / (1 + np.e**2)]])

    @pytest.mark.parametrize('levels', [3, 1000], ids=['ties', 'no_ties'])
    def test_mean_average_precision_is_upstreams(self, levels):
        random = np.random.default_rng(levels)
        probabilities = random.integers(0, levels, (40, 7)) / levels
        labels = random.random((40, 7)) < 0.2
        labels[:, 3] = False
        expected = upstream_precision(list(probabilities), list(labels.astype(np.float32)))
        assert mean_average_precision(probabilities, labels) == pytest.approx(expected, rel=1e-12)

    def test_mean_average_precision_by_hand(self):
        """Class 0: right at ranks 1 and 3, (1 + 2/3) / 2; class 1: right at rank 2; class 2 does not occur."""
        probabilities = np.array([[0.9, 0.1, 0.5], [0.5, 0.9, 0.5], [0.4, 0.5, 0.5]])
        labels = np.array([[1, 0, 0], [0, 0, 0], [1, 1, 0]], bool)
        assert mean_average_precision(probabilities, labels) == pytest.approx((5 / 6 + 1 / 2) / 2)
        assert np.isnan(mean_average_precision(probabilities, np.zeros_like(labels)))

    @pytest.mark.parametrize(
        ('labels', 'message'),
        [
            (
                [[1.0, 0.5, 0.0]],
                r"'0\.mp4': gt_label must be .*, got \(3,\) float32; several labels are a tensor of 0 or 1 for each",
            ),
            ([[1.0, 0.0]], r'gt_label must be .*, got \(2,\) float32'),
            ([[1.0, 0.0, 0.0], [1]], r"a\.pkl: '1\.mp4' has one label, '0\.mp4' several"),
        ],
    )
    def test_other_labels_are_refused(self, tmp_path, labels, message):
        with pytest.raises(ValueError, match=message):
            self.run(tmp_path, labels, [[0.1, 0.2, 0.3]] * len(labels))

    def test_runs_that_disagree(self, tmp_path):
        rows = [[0.1, 0.2, 0.3]]
        one, other, single = (
            self.run(tmp_path, [label], rows, name)
            for name, label in dict(one=[1, 0, 1], other=[0, 1, 0], single=[2]).items()
        )
        with pytest.raises(ValueError, match=r'one and other disagree on the label of 0\.mp4: \[0, 2\] and \[1\]'):
            check_same_samples(dict(one=one, other=other))
        for runs in (dict(single=single, one=one), dict(one=one, single=single)):
            with pytest.raises(ValueError, match='samples have one label each in single, several in one'):
                check_same_samples(runs)

    def test_weights_are_searched_for_the_mean_average_precision(self):
        """The mean of the two ranks sample a before b only with more than 0.72 for the first run."""
        labels = np.array([[True, True], [False, True]])
        runs = [scores(labels=labels, probabilities=p) for p in (((0.64, 0), (0.36, 0)), ((0.14, 0), (0.86, 0)))]
        weights, _ = search_weights(runs)
        assert weights == [0.75, 0.25]


def test_samples_that_could_not_be_read_are_counted(tmp_path):
    samples = [sample('a', 0, [0.5, 0.5]), {**sample('b', 0, [0.0, 1.0]), 'bad_data': [dict(path='b')]}]
    assert load_scores(dump(tmp_path / 'a.pkl', samples)).broken == 1
