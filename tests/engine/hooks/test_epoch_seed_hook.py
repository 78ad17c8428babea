import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

import repflow_mm.engine.hooks.epoch_seed_hook as module
from repflow_mm.engine import EpochSeedHook
from repflow_mm.engine.hooks.epoch_seed_hook import keep_worker_seed


class Augmented(Dataset):
    """Samples that are random draws of each library's."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return random.random(), np.random.rand(), torch.rand(()).item()


def draw_epoch(seed, epoch, num_workers=0):
    """The augmentations of an epoch, from an arbitrary state of the process."""
    for library in (random.seed, np.random.seed, torch.manual_seed):
        library(np.random.SeedSequence().entropy % 2**32)
    EpochSeedHook().before_train_epoch(SimpleNamespace(seed=seed, epoch=epoch))
    loader = DataLoader(Augmented(), num_workers=num_workers, worker_init_fn=keep_worker_seed, batch_size=None)
    return [value for sample in loader for value in sample]


@pytest.mark.parametrize('num_workers', [0, 2])
def test_augmentations_follow_seed_and_epoch_alone(num_workers):
    drawn = draw_epoch(3, 5, num_workers)
    assert drawn == draw_epoch(3, 5, num_workers)
    for other in (draw_epoch(3, 6, num_workers), draw_epoch(4, 5, num_workers)):
        assert not set(drawn) & set(other)
    assert len(set(drawn)) == len(drawn)


def test_ranks_draw_differently(monkeypatch):
    drawn = draw_epoch(3, 5)
    monkeypatch.setattr(module, 'get_rank', lambda: 1)
    assert not set(drawn) & set(draw_epoch(3, 5))


@pytest.mark.parametrize(('diff_rank_seed', 'expected'), [(False, 7), (True, 3)])
def test_sampler_takes_the_seed_of_the_checkpoint(diff_rank_seed, expected):
    sampler = SimpleNamespace(seed=3)
    cfg = dict(randomness=dict(diff_rank_seed=diff_rank_seed))
    runner = SimpleNamespace(seed=7, cfg=cfg, train_dataloader=SimpleNamespace(sampler=sampler))
    EpochSeedHook().before_train(runner)
    assert sampler.seed == expected, 'ranks with seeds of their own share the one of the sampler'


@pytest.mark.parametrize('sampler', [SimpleNamespace(), SimpleNamespace(seed=None)])
def test_samplers_without_a_seed_stay_as_they_are(sampler):
    before = dict(vars(sampler))
    EpochSeedHook().before_train(
        SimpleNamespace(seed=7, cfg={}, train_dataloader=SimpleNamespace(sampler=sampler))
    )  # fmt: skip
    assert vars(sampler) == before
