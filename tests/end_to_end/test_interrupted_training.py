"""Trainings that are stopped or killed at some point and resumed, against one that nothing disturbs."""

import copy
import itertools
import os
import signal
from pathlib import Path

import pytest
import torch
from helpers import ROOT
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import CheckpointLoader, Runner
from tiny_training import CONFIG

from repflow_mm.engine import TrainingStopped

BATCHES = 6  # of an epoch
ITERATIONS = dict(
    train_cfg=dict(_delete_=True, type='ResumableIterBasedTrainLoop', max_iters=3 * BATCHES, val_interval=4),
    param_scheduler=[dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=10)],
    default_hooks=dict(checkpoint=dict(by_epoch=False, interval=4), logger=dict(log_metric_by_epoch=False)),
    log_processor=dict(by_epoch=False),
)
ENDLESS = dict(ITERATIONS, train_dataloader=dict(sampler=dict(type='InfiniteSampler')))

number_of_runs = itertools.count()


class Killed(BaseException):
    """The process ends here."""


class Disturbance(Hook):
    """Calls ``action(runner)`` in the n-th call of a stage, after all other hooks or before them."""

    def __init__(self, stage, call, action, priority='LOWEST'):
        self.priority = priority
        calls = itertools.count(1)
        setattr(self, stage, lambda runner, **_: action(runner) if next(calls) == call else None)


def stop(runner):
    os.kill(os.getpid(), signal.SIGTERM)


def kill(runner):
    raise Killed


def train(work_dir, *disturbance, changes=None, resume=False, seed=3):
    """Train in this process; disturbance are a Disturbance's arguments."""
    file = work_dir.parent / 'tiny.py'
    file.write_text(CONFIG.format(root=ROOT))
    cfg = Config.fromfile(file)
    cfg.merge_from_dict(copy.deepcopy(changes or {}))
    cfg.update(work_dir=str(work_dir), experiment_name=f'interrupted{next(number_of_runs)}', resume=resume)
    cfg.randomness = dict(seed=seed)
    runner = Runner.from_cfg(cfg)
    if disturbance:
        runner.register_hook(Disturbance(*disturbance))
    try:
        runner.train()
    except (TrainingStopped, Killed) as end:
        return end
    assert not disturbance, 'nothing happened'


def final_state(work_dir):
    """All that a run leaves, by file."""
    state = {}
    for path in sorted(Path(work_dir).glob('*.pth')):
        found = CheckpointLoader.load_checkpoint(str(path), map_location='cpu')
        info = found['message_hub']['runtime_info']
        parts = {name: found.get(name) for name in ('state_dict', 'optimizer', 'param_schedulers')}
        parts['position'] = [found['meta'][name] for name in ('epoch', 'iter', 'seed')]
        parts['best'] = info.get('best_score'), Path(info.get('best_ckpt', '')).name
        state[path.name] = parts
    return state


def assert_same(found, expected, where='run'):
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for name in expected:
            assert_same(found[name], expected[name], f'{where}.{name}')
    elif isinstance(expected, (list, tuple)):
        assert len(found) == len(expected), where
        for number, (one, other) in enumerate(zip(found, expected)):
            assert_same(one, other, f'{where}[{number}]')
    elif isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected), where
    else:
        assert found == expected, where


@pytest.fixture(scope='module')
def undisturbed(tmp_path_factory):
    """What a run with these settings leaves if nothing disturbs it; each is run once."""
    states = {}

    def get(**settings):
        key = repr(settings)
        if key not in states:
            work_dir = tmp_path_factory.mktemp('undisturbed') / 'run'
            assert train(work_dir, **settings) is None
            states[key] = final_state(work_dir)
        return states[key]

    return get


def disturb(work_dir, *disturbance, **settings):
    """A run that is disturbed, and resumed without a seed of its own."""
    end = train(work_dir, *disturbance, **settings)
    assert train(work_dir, resume=True, seed=None, **settings) is None
    return end


@pytest.mark.parametrize('step', [1, 4, BATCHES, BATCHES + 1, 3 * BATCHES])
def test_a_stopped_run_goes_on_in_the_middle_of_its_epoch(tmp_path, undisturbed, step):
    work_dir = tmp_path / 'run'
    end = train(work_dir, 'before_train_iter', step, stop)
    assert (end.code, end.signum) == (143, signal.SIGTERM)
    assert (work_dir / 'last_checkpoint').read_text() == str(work_dir / 'interrupted.pth') == end.checkpoint
    assert CheckpointLoader.load_checkpoint(end.checkpoint)['meta']['iter'] == step
    assert train(work_dir, resume=True, seed=None) is None
    expected = undisturbed()
    assert {'epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth'} < set(expected)
    assert len({str(parts['best']) for parts in expected.values()}) > 1
    assert_same(final_state(work_dir), expected)


SETTINGS = {
    'workers': dict(changes={'train_dataloader.num_workers': 2, 'val_dataloader.num_workers': 1}),
    'persistent': dict(changes={'train_dataloader.num_workers': 2, 'train_dataloader.persistent_workers': True}),
    'amp': dict(changes={'optim_wrapper.type': 'CpuAmpOptimWrapper'}),
    'momentum': dict(changes={'optim_wrapper.optimizer': dict(_delete_=True, type='SGD', lr=0.1, momentum=0.9)}),
    'ema': dict(changes=dict(custom_hooks=[
        dict(type='StepSeedHook'), dict(type='InterruptionHook'), dict(type='EMAHook')
    ])),
    'iterations': dict(changes=ITERATIONS),
    'endless': dict(changes=ENDLESS),
}  # fmt: skip


@pytest.mark.parametrize('name', SETTINGS)
def test_a_stopped_run_of_another_kind_goes_on(tmp_path, undisturbed, name):
    end = disturb(tmp_path / 'run', 'before_train_iter', BATCHES + 3, stop, **SETTINGS[name])
    assert end.code == 143
    assert_same(final_state(tmp_path / 'run'), undisturbed(**SETTINGS[name]))


def test_workers_do_not_change_the_result(undisturbed):
    expected = undisturbed()
    for name in ('workers', 'persistent'):
        assert_same(undisturbed(**SETTINGS[name]), expected)


def test_accumulated_gradients_are_not_lost(tmp_path, undisturbed):
    settings = dict(changes={'optim_wrapper.accumulative_counts': 3})
    work_dir = tmp_path / 'run'
    end = train(work_dir, 'before_train_iter', 4, stop, **settings)
    assert CheckpointLoader.load_checkpoint(end.checkpoint)['meta']['iter'] == 6
    train(work_dir, resume=True, seed=None, **settings)
    assert_same(final_state(work_dir), undisturbed(**settings))
