"""Random state that depends on the seed and the step alone."""

from __future__ import annotations

from mmaction.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner

from repflow_mm.randomness import STEP, VALIDATION, seed_everything


@HOOKS.register_module()
class StepSeedHook(Hook):
    """Seed Python, NumPy and torch before every training step and validation, from (seed, step, rank).

    A resumed run then draws the dropout masks and blendings that an uninterrupted run draws, wherever it was
    interrupted, and no step repeats another's. The random state of samples is the business of the training loop
    (:class:`ResumableEpochBasedTrainLoop`).
    """

    priority = 'VERY_HIGH'

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: object = None) -> None:
        """Seed this process for the step that begins."""
        seed_everything(STEP, runner.seed, runner.iter, get_rank())

    def before_val_epoch(self, runner: Runner) -> None:
        """Seed this process for a validation, which a resumed run may begin with."""
        seed_everything(VALIDATION, runner.seed, runner.iter, get_rank())
