import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmaction.evaluation import mean_average_precision, top_k_accuracy
from mmaction.structures import ActionDataSample
from torch import nn
from torch.utils.data import ConcatDataset

import repflow_mm.engine.hooks.bad_data_hook as module
from repflow_mm.engine import BadDataHook
from repflow_mm.engine.hooks.bad_data_hook import TooMuchBadDataError


class Data:
    """A dataset that notes what it is told."""

    def __init__(self, size=40):
        self.size, self.told = size, []

    def __len__(self):
        return self.size

    def tolerate_bad_data(self, seed=0, epoch=0):
        self.told.append((seed, epoch))

    def raise_bad_data(self):
        self.told.append('raise')


class Network(nn.Module):
    """Predicts class 0 of every sample, surely."""

    def forward(self, samples):
        for sample in samples:
            sample.set_pred_score(torch.tensor([0.9, 0.06, 0.04]))
        return samples


def sample(path=None, label=0):
    result = ActionDataSample().set_gt_label(label)
    if path:
        record = dict(path=path, place=f'list, {path}', status='empty', reason=f'list, {path}: empty')
        result.set_metainfo(dict(bad_data=[record]))
    return result


def batch(*paths):
    return dict(inputs=[], data_samples=[sample(path) for path in paths])


@pytest.fixture
def runner(caplog):
    caplog.set_level(logging.WARNING)
    data = Data()
    loop = object.__new__(module.EpochBasedTrainLoop)
    return SimpleNamespace(
        seed=5, epoch=2, logger=logging.getLogger('run'), train_loop=loop, model=Network(), data=data,
        **{f'{mode}_dataloader': SimpleNamespace(dataset=data) for mode in ('train', 'val', 'test')},
    )  # fmt: skip


def lines(caplog):
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(
    ('options', 'error', 'message'),
    [
        (dict(max_share=1.5), ValueError, r'max_share must lie in \[0, 1\], got 1\.5'),
        (dict(max_share='5 %'), TypeError, r"max_share must be a number, got str '5 %'"),
        (dict(in_testing='skip'), ValueError, r"in_testing must be one of \('wrong', 'end'\), got 'skip'"),
        (dict(interval=0), ValueError, 'interval must be >= 1, got 0'),
    ],
)
def test_arguments(options, error, message):
    with pytest.raises(error, match=message):
        BadDataHook(**options)


def test_broken_files_are_logged_once_and_counted_in_each_epoch(runner, caplog):
    hook = BadDataHook()
    hook.before_train(runner)
    for runner.epoch in (0, 1):
        hook.before_train_epoch(runner)
        hook.after_train_iter(runner, 0, batch(None, 'a'))
        hook.after_train_iter(runner, 1, batch('b', None))
        hook.after_train_epoch(runner)
    said = lines(caplog)
    assert [line[:33] for line in said if line.startswith('broken')] == [
        f'broken data (empty): list, {x}: empty' [:33] for x in 'ab'
    ]  # fmt: skip
    assert 'check_videos' in said[0]
    assert [line for line in said if 'of 40' in line] == [
        '2 of 40 samples (5 %) of this epoch were broken and replaced; more than 5 % would end the run'
    ] * 2
    assert runner.data.told == [(5, 2), (5, 0), (5, 1)]


def test_whole_data_is_not_spoken_of(runner, caplog):
    hook = BadDataHook()
    hook.before_train_epoch(runner)
    hook.after_train_iter(runner, 0, batch(None, None))
    hook.after_train_epoch(runner)
    assert not lines(caplog)


def test_too_much_ends_the_run_with_a_summary(runner):
    hook = BadDataHook()
    hook.before_train_epoch(runner)
    hook.after_train_iter(runner, 0, batch('a', 'b'))
    message = (
        r'3 of 40 samples .*max_share = 5 % allows; 3 files so far: 3 empty; the first: list, a: empty\. check_videos'
    )
    with pytest.raises(TooMuchBadDataError, match=message):
        hook.after_train_iter(runner, 1, batch('c'))


def test_ranks_are_counted_together(runner, monkeypatch, caplog):
    monkeypatch.setattr(module, 'get_world_size', lambda: 2)
    record = dict(path='c', place='list, c', status='missing', reason='list, c: missing')
    monkeypatch.setattr(module, 'all_gather_object', lambda mine: [mine, ([record], 2)])
    hook = BadDataHook(interval=2)
    hook.before_train_epoch(runner)
    hook.after_train_iter(runner, 0, batch('a'))
    assert not lines(caplog), 'ranks speak at intervals alone'
    with pytest.raises(TooMuchBadDataError, match='3 of 40 samples .*2 files so far: 1 empty, 1 missing'):
        hook.after_train_iter(runner, 1, batch(None))


def test_iterations_without_epochs_count_by_passes(runner, caplog):
    runner.train_loop = None
    hook = BadDataHook()
    hook.before_train_epoch(runner)
    for index in range(40):
        hook.after_train_iter(runner, index, batch('a' if index % 20 == 0 else None, None))
    assert [line for line in lines(caplog) if 'of 40' in line] == [
        '1 of 40 samples (2.5 %) of this epoch were broken and replaced; more than 5 % would end the run'
    ] * 2


@pytest.mark.parametrize('mode', ['val', 'test'])
def test_broken_samples_count_as_wrong(runner, caplog, mode):
    hook = BadDataHook()
    getattr(hook, f'before_{mode}')(runner)
    outputs = runner.model([sample(label=0), sample('a', label=0), sample('b', label=2)])
    metrics = {'acc/top1': 0.3}
    getattr(hook, f'after_{mode}_epoch')(runner, metrics)
    scores = np.stack([output.pred_score.numpy() for output in outputs])
    np.testing.assert_allclose(scores, [[0.9, 0.06, 0.04], [0, 0.5, 0.5], [0.5, 0.5, 0]])
    assert top_k_accuracy(scores, [0, 0, 2], (1, 2)) == [1 / 3, 1 / 3]
    assert [output.pred_label.item() for output in outputs[1:]] == [1, 0]
    assert metrics == {'acc/top1': 0.3, 'bad_data/counted_wrong': 2}
    assert len([line for line in lines(caplog) if 'check_videos' in line]) == 2
    assert lines(caplog)[-1] == '2 samples are broken and count as wrong in these metrics'
    assert runner.model([sample('a')])[0].pred_score[0] == 0.9, 'outside of testing nothing is changed'


def test_several_labels_count_as_wrong(runner):
    hook = BadDataHook()
    hook.before_test(runner)
    labels = [torch.tensor([1.0, 0, 1]), torch.tensor([0, 1.0, 0])]
    outputs = runner.model([sample('a', label=label) for label in labels])
    scores = [output.pred_score.numpy() for output in outputs]
    np.testing.assert_array_equal(scores, [[0, 1, 0], [1, 0, 1]])
    assert mean_average_precision(scores, [label.numpy() for label in labels]) == 0.5, 'the lowest that two can have'


def test_several_labels_of_logits_count_as_wrong(runner, monkeypatch):
    monkeypatch.setattr(
        Network, 'forward', lambda self, samples: [s.set_pred_score(torch.tensor([-9.0, -3.0, 5.0])) for s in samples]
    )
    hook = BadDataHook()
    hook.before_test(runner)
    (output,) = runner.model([sample('a', label=torch.tensor([1.0, 0, 1]))])
    assert output.pred_score.tolist() == [-1e4, 1e4, -1e4]


def test_whole_data_leaves_metrics_alone(runner, caplog):
    hook = BadDataHook()
    hook.before_test(runner)
    runner.model([sample()])
    metrics = {'acc/top1': 1.0}
    hook.after_test_epoch(runner, metrics)
    assert metrics == {'acc/top1': 1.0} and not lines(caplog)


def test_testing_can_end_instead(runner):
    hook = BadDataHook(in_testing='end')
    hook.before_val(runner)
    assert runner.data.told == ['raise']


def test_wrapped_datasets_are_told(runner):
    inner = [Data(), Data()]
    runner.train_dataloader.dataset = SimpleNamespace(dataset=ConcatDataset(inner))
    BadDataHook().before_train(runner)
    assert [data.told for data in inner] == [[(5, 2)]] * 2
