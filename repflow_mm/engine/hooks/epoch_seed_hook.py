"""Random state that depends on the seed and the epoch alone."""

from __future__ import annotations

import random

import numpy as np
import torch
from mmaction.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import FUNCTIONS
from mmengine.runner import Runner


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed Python, NumPy and torch at the start of every training epoch from (seed, epoch, rank).

    A resumed run then draws the augmentations and dropout masks that an uninterrupted run draws, and no epoch
    repeats another's. Data loader workers must be started in every epoch (``persistent_workers=False``) and take
    torch's own seeds (``worker_init_fn=dict(type='keep_worker_seed')``).
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Give the sampler the seed that a resumed run took over from its checkpoint.

        MMEngine builds the sampler before it reads the checkpoint, so without ``--seed`` it would shuffle anew.
        """
        sampler = runner.train_dataloader.sampler
        same_for_all_ranks = not (runner.cfg.get('randomness') or {}).get('diff_rank_seed', False)
        if getattr(sampler, 'seed', None) is not None and same_for_all_ranks:
            sampler.seed = runner.seed

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed this process for the epoch that begins."""
        state = np.random.SeedSequence((runner.seed, runner.epoch, get_rank())).generate_state(3)
        random.seed(int(state[0]))
        np.random.seed(state[1])
        torch.manual_seed(int(state[2]))


@FUNCTIONS.register_module()
def keep_worker_seed(worker_id: int, **kwargs) -> None:
    """Worker initialisation that keeps the seeds torch gave the worker.

    They follow the main process's state when the epoch begins; MMEngine's own function would give a worker the same
    seed in every epoch, and with it the same augmentations.
    """
