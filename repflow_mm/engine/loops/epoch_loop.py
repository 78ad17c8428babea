"""Training by epochs that goes on where it was interrupted."""

from __future__ import annotations

from typing import Any

from mmaction.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn
from torch.utils.data import DataLoader

from repflow_mm.engine.hooks.interruption_hook import release_signals
from repflow_mm.engine.loops.epoch_progress import batches_done, note_epoch
from repflow_mm.engine.loops.sample_order import resumable_loader


@LOOPS.register_module()
class ResumableEpochBasedTrainLoop(EpochBasedTrainLoop):
    """MMEngine's EpochBasedTrainLoop, which a resumed run enters where it was left, in the middle of an epoch too.

    Takes EpochBasedTrainLoop's arguments. The batches that are done are left out at the sampler, without loading them.
    Augmentations follow the seed, the epoch and the sample's place in it, so neither workers nor what came before
    matters; with :class:`StepSeedHook` for what the network draws, a resumed run equals an undisturbed one bit by bit.
    A step that was saved but not validated when the run ended is validated first.

    Raises:
        CannotResumeError: If the run was interrupted in the middle of an epoch, and has other batches than before.
            Another number of processes is fine where their batches together are the same, with DefaultSampler.
    """

    def __init__(self, runner: Runner, dataloader: DataLoader | dict, *args: Any, **kwargs: Any) -> None:
        super().__init__(runner, dataloader, *args, **kwargs)
        self.dataloader = resumable_loader(self.dataloader)
        self._first_batch = 0

    def run(self) -> nn.Module:
        """Train; returns the model."""
        try:
            return self._train()
        finally:
            release_signals()

    def _train(self) -> nn.Module:
        hub = self.runner.message_hub
        self._first_batch = batches_done(hub, self._epoch, self._iter, self.dataloader)
        # A checkpoint that was saved in or after validation says so.
        is_validated = self._first_batch > 0 or hub.runtime_info.get('loop_stage') == 'val'
        self.runner.call_hook('before_train')
        if self._epoch > 0 and not is_validated:
            self._validate_if_due()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._validate_if_due()
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_epoch(self) -> None:
        """Train for the rest of an epoch."""
        first_batch, self._first_batch = self._first_batch, 0
        self.dataloader.batch_sampler.start(self.runner.seed, self._epoch, first_batch)
        note_epoch(self.runner.message_hub, self._epoch, self._iter - first_batch, self.dataloader)
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for number, batch in enumerate(self.dataloader, start=first_batch):
            self.run_iter(number, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def _validate_if_due(self) -> None:
        self._decide_current_val_interval()
        is_due = self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs
        if self.runner.val_loop is not None and self._epoch >= self.val_begin and is_due:
            self.runner.val_loop.run()
