"""A training that goes on past bad numbers, and ends before they are all that is left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import torch
from mmaction.registry import HOOKS
from mmengine.dist import all_gather_object, get_rank
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import Tensor, nn

from repflow_mm.engine.optimizers.step_guard import StepGuard, are_finite
from repflow_mm.models.wrapping import unwrapped
from repflow_mm.ops.arguments import check_count

# What names a sample among a data sample's ``metainfo``: a video, or a folder of frames.
NAMES = ('filename', 'frame_dir')
# The terms of a flow layer, by which one is known.
TERMS = ('theta', 'lam', 'tau')
# Of a long list, the first ones.
MOST_NAMES = 32


@HOOKS.register_module()
class FiniteNumbersHook(Hook):
    """Skip and count the steps whose loss or gradient is not finite; end the run after some in a row.

    The count is in the message hub as ``skipped_steps``, and so in checkpoints. A step that the loss scaler of mixed
    precision skips while it looks for its scale is counted, but is none of those in a row. Weights that are not finite
    are never saved: a run that has such ends, whether it has loaded or computed them.

    Args:
        max_in_row (int): Steps in a row that may be skipped before the run ends. Defaults to 10.

    Raises:
        TypeError: If ``max_in_row`` is no integer.
        ValueError: If it is < 1.
        FloatingPointError: In training, after ``max_in_row`` skipped steps in a row, with the last batch's files and
            the flow layers' terms; or if weights are not finite.
    """

    # Before checkpoints are saved, and after an EMAHook has put the average in place.
    priority = 'BELOW_NORMAL'

    def __init__(self, max_in_row: int = 10) -> None:
        check_count('max_in_row', max_in_row)
        self.max_in_row = max_in_row
        self.skipped = self.in_row = 0
        self._guard: StepGuard | None = None

    def before_train(self, runner: Runner) -> None:
        """Guard the optimizer's steps, from weights that are finite."""
        _check_weights(unwrapped(runner.model).state_dict(), 'the training would start from')
        self.skipped, self.in_row = runner.message_hub.runtime_info.get('skipped_steps', 0), 0
        if not isinstance(runner.optim_wrapper, OptimWrapper):
            kind = type(runner.optim_wrapper).__name__
            runner.logger.warning('steps are not guarded against numbers that are not finite: %s has several', kind)
            return
        self._guard = StepGuard(runner.optim_wrapper, unwrapped(runner.model))

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Keep what a skipped step has to give back."""
        if self._guard is not None:
            self._guard.begin()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Count the step if it was skipped, and end the run if it was the last in a row that may be."""
        if self._guard is None:
            return
        if not self._guard.was_skipped():
            self.in_row = 0 if self._guard.wrapper.should_update() else self.in_row
            return
        self.skipped += 1
        self.in_row += not self._guard.is_searching_scale
        runner.message_hub.update_info('skipped_steps', self.skipped)
        # Whole text: MMEngine's logger leaves out what it has warned of in the same words.
        runner.logger.warning(
            f'step {runner.iter + 1} is skipped: its loss or gradient is not finite '
            f'({self.skipped} skipped so far, {self.in_row} in a row)'
        )
        if self.in_row >= self.max_in_row:
            raise FloatingPointError(self._last_words(runner, data_batch, outputs))

    def after_train_epoch(self, runner: Runner) -> None:
        """End the run, in all processes alike, if a finite gradient has led to weights that are not."""
        _check_weights(dict(unwrapped(runner.model).named_parameters()), f'epoch {runner.epoch + 1} ends with')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep weights that are not finite from being saved over good ones."""
        _check_weights(checkpoint['state_dict'], f'iteration {runner.iter} has')

    def after_train(self, runner: Runner) -> None:
        """Say how many steps were skipped."""
        if self.skipped:
            runner.logger.warning(f'{self.skipped} steps were skipped, their loss or gradient was not finite')

    def _last_words(self, runner: Runner, data_batch: dict | None, outputs: dict | None) -> str:
        files = '; '.join(_files_of_all(data_batch, outputs))
        terms = '; '.join(_flow_terms(unwrapped(runner.model))) or 'none'
        return (
            f'the training ends at iteration {runner.iter + 1}: the loss or gradient of {self.in_row} steps in a row '
            f'is not finite. The last batch: {files}. Flow layers: {terms}. A lower learning rate may help; '
            'a checkpoint of before is not touched'
        )


def _check_weights(weights: Mapping[str, object], where: str) -> None:
    tensors = {
        name: value for name, value in weights.items() if isinstance(value, Tensor) and value.is_floating_point()
    }
    if are_finite(tensors.values()):
        return
    names = [name for name, value in tensors.items() if not are_finite([value])]
    # The sum by which they are looked at may be too large for its dtype where the numbers are not.
    names = [name for name in names if not torch.isfinite(tensors[name]).all()]
    if names:
        more = f' and {len(names) - 5} more' if len(names) > 5 else ''
        raise FloatingPointError(
            f'{where} weights that are not finite: {", ".join(names[:5])}{more}; they are not saved'
        )


def _files_of_all(data_batch: dict | None, outputs: dict | None) -> Iterator[str]:
    """The files of the batch: of the processes whose loss is not finite, or of all if it is in each."""
    loss = (outputs or {}).get('loss')
    is_bad = isinstance(loss, Tensor) and not are_finite([loss])
    batches = all_gather_object((get_rank(), is_bad, list(_names(data_batch or {}))))
    named = [batch for batch in batches if batch[1]] or batches
    for rank, _, names in named:
        of_rank = f'of process {rank}: ' if len(batches) > 1 else ''
        more = f' and {len(names) - MOST_NAMES} more' if len(names) > MOST_NAMES else ''
        yield f'{of_rank}{", ".join(names[:MOST_NAMES]) or "without names"}{more}'


def _names(data_batch: dict) -> Iterator[str]:
    for sample in _flattened(data_batch.get('data_samples') or []):
        info = getattr(sample, 'metainfo', {})
        yield from islice((str(info[name]) for name in NAMES if name in info), 1)


def _flattened(samples: object) -> Iterable:
    if not isinstance(samples, (list, tuple)):
        return [samples]
    return [sample for part in samples for sample in _flattened(part)]


def _flow_terms(model: nn.Module) -> Iterator[str]:
    """The name of each flow layer with the values of its terms."""
    for name, module in model.named_modules():
        if all(isinstance(getattr(module, term, None), Tensor) for term in TERMS):
            values = ', '.join(f'{term} {getattr(module, term).item():.6g}' for term in TERMS)
            yield f'{name} {values}'
