"""Training by iterations that goes on where it was interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmaction.registry import LOOPS
from mmengine.dataset import InfiniteSampler
from mmengine.runner import IterBasedTrainLoop, Runner
from torch import nn
from torch.utils.data import DataLoader

from repflow_mm.engine.hooks.interruption_hook import release_signals
from repflow_mm.engine.loops.epoch_progress import batches_done, note_epoch
from repflow_mm.engine.loops.sample_order import resumable_loader


@LOOPS.register_module()
class ResumableIterBasedTrainLoop(IterBasedTrainLoop):
    """MMEngine's IterBasedTrainLoop, which a resumed run enters where it was left.

    Takes IterBasedTrainLoop's arguments, and does what :class:`ResumableEpochBasedTrainLoop` does. Upstream's loop
    loads all batches that are done once more, and reads a sampler other than InfiniteSampler in one order only.

    Raises:
        CannotResumeError: If a resumed run has other batches than before, as for :class:`ResumableEpochBasedTrainLoop`.
    """

    def __init__(self, runner: Runner, dataloader: DataLoader | dict, *args: Any, **kwargs: Any) -> None:
        if isinstance(dataloader, dict):
            diff_rank_seed = runner._randomness_cfg.get('diff_rank_seed', False)
            dataloader = runner.build_dataloader(dataloader, seed=runner.seed, diff_rank_seed=diff_rank_seed)
        super().__init__(runner, resumable_loader(dataloader), *args, **kwargs)

    def run(self) -> nn.Module:
        """Train; returns the model."""
        try:
            return self._train()
        finally:
            release_signals()

    def _train(self) -> nn.Module:
        hub = self.runner.message_hub
        first_batch = batches_done(hub, self._epoch, self._iter, self.dataloader)
        # A checkpoint that was saved in or after validation says so.
        is_validated = hub.runtime_info.get('loop_stage') == 'val'
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        if self._iter > 0 and not is_validated:
            self._validate_if_due()
        batches = self._batches(first_batch)
        while self._iter < self._max_iters and not self.stop_training:
            self.runner.model.train()
            self.run_iter(next(batches))
            self._validate_if_due()
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model

    def _batches(self, first_batch: int) -> Iterator:
        """The batches from one of the present pass through the data on, without an end."""
        order = self.dataloader.batch_sampler
        is_endless = isinstance(order.sampler, InfiniteSampler)
        number = 0 if is_endless else (self._iter - first_batch) // len(order)
        while True:
            if hasattr(order.sampler, 'set_epoch'):
                order.sampler.set_epoch(number)
            order.start(self.runner.seed, number, first_batch)
            note_epoch(self.runner.message_hub, self._epoch, self._iter - first_batch, self.dataloader)
            yield from self.dataloader
            number, first_batch = number + 1, 0

    def _validate_if_due(self) -> None:
        self._decide_current_val_interval()
        is_due = self._iter % self.val_interval == 0 or self._iter == self._max_iters
        if self.runner.val_loop is not None and self._iter >= self.val_begin and is_due:
            self.runner.val_loop.run()
