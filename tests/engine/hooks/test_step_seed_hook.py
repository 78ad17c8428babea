import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import repflow_mm.engine.hooks.step_seed_hook as module
from repflow_mm.engine import StepSeedHook


def draw(seed, step, stage='before_train_iter'):
    """A number of each library's in a step, from an arbitrary state of the process."""
    for library in (random.seed, np.random.seed, torch.manual_seed):
        library(np.random.SeedSequence().entropy % 2**32)
    arguments = dict(batch_idx=0) if stage == 'before_train_iter' else {}
    getattr(StepSeedHook(), stage)(SimpleNamespace(seed=seed, iter=step), **arguments)
    return {random.random(), np.random.rand(), torch.rand(()).item()}


def test_draws_follow_seed_and_step_alone():
    for stage in ('before_train_iter', 'before_val_epoch'):
        assert draw(3, 5, stage) == draw(3, 5, stage)
        assert len(draw(3, 5, stage) | draw(3, 6, stage) | draw(4, 5, stage)) == 9
    assert not draw(3, 5) & draw(3, 5, stage)


@pytest.mark.parametrize('rank', [1, 2])
def test_ranks_draw_differently(monkeypatch, rank):
    drawn = draw(3, 5)
    monkeypatch.setattr(module, 'get_rank', lambda: rank)
    assert not drawn & draw(3, 5)
