"""An end to reads of data that hang."""

from __future__ import annotations

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from repflow_mm.engine.hooks.bad_data_hook import parts_with
from repflow_mm.read_watch import ReadWatch


@HOOKS.register_module()
class ReadWatchHook(Hook):
    """End a process, a data worker or the run's own, that hangs in a sample, and say which one it is.

    The run ends with it; a hanging decoder cannot be left alone, as every epoch would wait for it. The datasets note
    what they read (:class:`repflow_mm.datasets.replacing_dataset.ReplacingDataset`). Loaders with workers and no
    ``timeout`` of their own get one too, for what not even SIGKILL ends: that of a sample for each of a batch, and one
    more. A ``timeout`` without workers, which torch refuses, is dropped.

    Args:
        timeout (float, optional): Seconds that a sample may take, from its file to its packed frames. None watches
            nothing, as a debugger needs it. Defaults to 600.

    Raises:
        TypeError: If it is no number.
        ValueError: If it is not above 0.
    """

    def __init__(self, timeout: float | None = 600.0) -> None:
        if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, (int, float))):
            raise TypeError(f'timeout must be a number or None, got {timeout!r}')
        if timeout is not None and not timeout > 0:
            raise ValueError(f'timeout must be > 0 seconds, got {timeout}')
        self.timeout, self.watch = timeout, None

    def before_train(self, runner: Runner) -> None:
        """Watch the reads of training."""
        self._begin(runner.train_dataloader)

    def before_val(self, runner: Runner) -> None:
        """Watch the reads of validation."""
        self._begin(runner.val_dataloader)

    def before_test(self, runner: Runner) -> None:
        """Watch the reads of testing."""
        self._begin(runner.test_dataloader)

    def after_run(self, runner: Runner) -> None:
        """End the watcher."""
        if self.watch is not None:
            self.watch.stop()
            self.watch = None

    def _begin(self, loader: DataLoader) -> None:
        if not loader.num_workers:
            loader.timeout = 0
        if self.timeout is None:
            return
        if loader.num_workers and not loader.timeout:
            loader.timeout = self.timeout * (_batch_size(loader) + 1)
        if self.watch is None:
            self.watch = ReadWatch(self.timeout)
        for dataset in parts_with('notes', loader.dataset):
            dataset.notes = self.watch.notes


def _batch_size(loader: DataLoader) -> int:
    """Samples of a batch, by the loader's batch sampler or the one that this one wraps."""
    sampler = loader.batch_sampler
    while sampler is not None and not hasattr(sampler, 'batch_size'):
        sampler = getattr(sampler, 'batch_sampler', None)
    return 1 if sampler is None else sampler.batch_size
