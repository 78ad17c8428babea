"""Trainings that are stopped or killed at some point and resumed, against one that nothing disturbs."""

import itertools
import os
import signal

import pytest
from mmengine.fileio import LocalBackend
from mmengine.runner import CheckpointLoader
from tiny_training import Killed, assert_same, final_state, kill, stop, train

from repflow_mm.compat.checkpoint_files import latest_checkpoint
from repflow_mm.engine import CannotResumeError

BATCHES = 6  # of an epoch
ITERATIONS = dict(
    train_cfg=dict(_delete_=True, type='ResumableIterBasedTrainLoop', max_iters=3 * BATCHES, val_interval=4),
    param_scheduler=[dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=10)],
    default_hooks=dict(checkpoint=dict(by_epoch=False, interval=4), logger=dict(log_metric_by_epoch=False)),
    log_processor=dict(by_epoch=False),
)
ENDLESS = dict(ITERATIONS, train_dataloader=dict(sampler=dict(type='InfiniteSampler')))

pytestmark = pytest.mark.usefixtures('quick_start')


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
    'scaled': dict(changes=dict(optim_wrapper=dict(
        type='CpuAmpOptimWrapper', dtype='float16', loss_scale=dict(init_scale=2.0**20, growth_interval=4)
    ))),
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


def test_the_scale_of_the_loss_goes_on_where_it_was(tmp_path):
    end = train(tmp_path / 'run', 'before_train_iter', BATCHES + 3, stop, **SETTINGS['scaled'])
    scaler = CheckpointLoader.load_checkpoint(end.checkpoint)['optimizer']['loss_scaler']
    assert scaler['scale'] < 2.0**20 and 0 < scaler['_growth_tracker'] < 4


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


def test_a_run_killed_before_its_validation_validates_first(tmp_path, undisturbed):
    work_dir = tmp_path / 'run'
    train(work_dir, 'before_val_iter', 3, kill)
    assert (work_dir / 'epoch_2.pth').exists()
    train(work_dir, resume=True, seed=None)
    assert_same(final_state(work_dir), undisturbed())


def test_a_validated_run_does_not_validate_again(tmp_path, undisturbed):
    work_dir = tmp_path / 'run'
    train(work_dir, 'before_train_epoch', 3, kill)
    assert train(work_dir, 'before_val', 1, kill, resume=True, seed=None) is not None
    assert CheckpointLoader.load_checkpoint(str(work_dir / 'epoch_3.pth'))['meta']['epoch'] == 3
    train(work_dir, resume=True, seed=None)
    assert_same(final_state(work_dir), undisturbed())


@pytest.mark.parametrize('name', ['plain', 'ema', 'every second', 'iterations'])
def test_a_run_stopped_in_its_validation_validates_first(tmp_path, undisturbed, name):
    settings = dict(SETTINGS, plain={}, **{'every second': dict(changes={'default_hooks.checkpoint.interval': 2})})[
        name
    ]
    end = disturb(tmp_path / 'run', 'before_val_iter', 2, stop, **settings)
    assert end.code == 143
    assert_same(final_state(tmp_path / 'run'), undisturbed(**settings))


@pytest.mark.parametrize('hook', ['CheckpointHook', 'ResumableCheckpointHook'])
def test_a_killed_run_goes_on_from_a_checkpoint_within_an_epoch(tmp_path, undisturbed, hook):
    checkpoint = {'default_hooks.checkpoint': dict(type=hook, by_epoch=False, interval=4)}
    settings = dict(changes={**checkpoint, 'train_dataloader.persistent_workers': False})
    work_dir = tmp_path / 'run'
    train(work_dir, 'before_train_iter', 12, kill, **settings)
    assert (work_dir / 'last_checkpoint').read_text().endswith('iter_8.pth')
    train(work_dir, resume=True, seed=None, **settings)
    assert_same(final_state(work_dir), undisturbed(**settings))


def stumbling(function, numbers, call=0):
    """A function that takes ``numbers``' next one in each call, and kills the run in place of the n-th."""

    def stumble(*arguments, **settings):
        if next(numbers) == call:
            raise Killed
        return function(*arguments, **settings)

    return stumble


PLACES = [(os, 'replace'), (LocalBackend, 'remove')]
KEEP_ONE = {'default_hooks.checkpoint.max_keep_ckpts': 1, 'train_cfg.max_epochs': 2}


@pytest.mark.parametrize(('module', 'name'), PLACES, ids=[name for _, name in PLACES])
def test_a_run_killed_at_any_write_is_as_if_it_was_not(tmp_path, undisturbed, monkeypatch, module, name):
    """With one checkpoint kept, and each write in turn the last thing that the run does."""
    expected = undisturbed(changes=KEEP_ONE)
    numbers = itertools.count(1)
    with monkeypatch.context() as patch:
        patch.setattr(module, name, stumbling(getattr(module, name), numbers))
        train(tmp_path / 'counted' / 'run', changes=KEEP_ONE)
    calls = next(numbers) - 1
    assert calls > 1
    for call in range(1, calls + 1):
        work_dir = tmp_path / str(call) / 'run'
        with monkeypatch.context() as patch:
            patch.setattr(module, name, stumbling(getattr(module, name), itertools.count(1), call))
            assert isinstance(train(work_dir, changes=KEEP_ONE), Killed)
        (work_dir / '.epoch_1.99.tmp.pth').write_bytes(b'half')
        assert call == 1 or latest_checkpoint(work_dir) is not None
        train(work_dir, resume=True, seed=3, changes=KEEP_ONE)
        assert_same(final_state(work_dir), expected, f'call {call}')
        assert not list(work_dir.glob('.*.pth'))


def test_another_batch_size_is_refused_in_the_middle_of_an_epoch(tmp_path):
    changes = {'train_dataloader.batch_size': 2}
    train(tmp_path / 'run', 'before_train_iter', 4, stop)
    noted = r'batch 4 of 6 of 23 samples \(1 processes with a batch size of 4\)'
    found = r'12 of 23 samples \(1 processes with a batch size of 2\)'
    message = f'^cannot go on in the middle .*: the checkpoint is from {noted}, and this run has {found}. Take the same'
    with pytest.raises(CannotResumeError, match=message):
        train(tmp_path / 'run', resume=True, changes=changes)


def test_another_batch_size_is_fine_after_a_whole_epoch(tmp_path):
    train(tmp_path / 'run', 'before_train_epoch', 2, kill)
    train(tmp_path / 'run', resume=True, changes={'train_dataloader.batch_size': 3})
    assert CheckpointLoader.load_checkpoint(str(tmp_path / 'run' / 'epoch_3.pth'))['meta']['iter'] == 6 + 2 * 8
