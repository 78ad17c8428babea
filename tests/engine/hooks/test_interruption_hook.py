import os
import signal

import pytest
from mmengine.runner import CheckpointLoader
from tiny_training import kill, stop, train

from repflow_mm.engine import InterruptionHook
from repflow_mm.engine.hooks import interruption_hook


@pytest.fixture(autouse=True)
def quick_start(monkeypatch):
    """Runners that do not look for compilers, which would take most of the time."""
    monkeypatch.setattr('mmengine.runner.runner.collect_env', dict)


@pytest.mark.parametrize('interval', [0, -1])
def test_interval_is_at_least_one(interval):
    with pytest.raises(ValueError, match=f'^interval must be >= 1, got {interval}$'):
        InterruptionHook(interval)


@pytest.mark.parametrize('hook', [None, dict(type='CheckpointHook', interval=1)])
def test_without_the_hook_nothing_is_saved(tmp_path, hook):
    end = train(tmp_path / 'run', 'before_train_iter', 2, stop, changes={'default_hooks.checkpoint': hook})
    assert (end.code, end.checkpoint) == (143, None)
    assert not list(tmp_path.glob('run/*.pth'))


def test_a_full_disk_does_not_keep_a_run_from_stopping(tmp_path, monkeypatch):
    def fill(*arguments):
        raise OSError('no space left')

    monkeypatch.setattr(os, 'replace', fill)
    end = train(tmp_path / 'run', 'before_train_iter', 2, stop)
    assert (end.code, end.checkpoint) == (143, None)


def test_the_ranks_are_asked_every_few_steps(tmp_path):
    hooks = [dict(type='StepSeedHook'), dict(type='InterruptionHook', interval=4)]
    end = train(tmp_path / 'run', 'before_train_iter', 2, stop, changes=dict(custom_hooks=hooks))
    assert CheckpointLoader.load_checkpoint(end.checkpoint)['meta']['iter'] == 4


@pytest.mark.parametrize('disturbance', [(), ('before_train_iter', 2, kill)])
def test_signals_belong_to_whom_they_belonged_after_a_training(tmp_path, disturbance):
    before = signal.getsignal(signal.SIGTERM)
    train(tmp_path / 'run', *disturbance, changes={'train_cfg.max_epochs': 1})
    assert signal.getsignal(signal.SIGTERM) == before
    assert not interruption_hook._listening
