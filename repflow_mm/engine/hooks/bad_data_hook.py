"""What becomes of broken videos and images in training and testing."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import torch
from mmaction.registry import HOOKS
from mmengine.dist import all_gather_object, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmengine.structures import BaseDataElement
from torch.utils.data import Dataset

from repflow_mm.models.wrapping import unwrapped
from repflow_mm.ops.arguments import check_count, check_number

ADVICE = 'check_videos finds all such videos of a list and writes one without them, check_frames such frames'
# float16 has it too.
LARGEST_LOGIT = 1e4
IN_TESTING = ('wrong', 'end')


class TooMuchBadDataError(ValueError):
    """So many samples are broken that what is left is another data set."""


@HOOKS.register_module()
class BadDataHook(Hook):
    """Let a run go on where videos, images or flow files are broken; say which, and end it if they are many.

    It asks the datasets to do so (:class:`repflow_mm.datasets.replacing_dataset.ReplacingDataset`; others raise as
    ever). In training a broken sample is replaced by another one of the list. Every broken file is logged once a run,
    and their number at the end of each epoch. Once more than ``max_share`` of an epoch's samples have been replaced, of
    all ranks and workers together, the run ends.

    In validation and testing a broken sample counts as wrong: its label gets the lowest score, and all other classes
    share the probability evenly; of a sample of several labels the right classes get the lowest score that there is,
    the others the highest. So accuracies are lower bounds, and dumped scores have every sample of the list. The files
    are listed with the result, and their number is in the metrics as ``bad_data/counted_wrong``.

    Args:
        max_share (float): Share of an epoch's samples that may be replaced, in [0, 1]. Defaults to 0.05.
        in_testing (str): ``'wrong'``, a broken sample counts as wrong, or ``'end'``, it ends the run. Defaults to
            ``'wrong'``.
        interval (int): Iterations after which several ranks tell each other what they found; one alone looks after
            each. Defaults to 50.

    Raises:
        TypeError: If ``max_share`` is no number, or ``interval`` no integer.
        ValueError: If an argument is not allowed.
    """

    # Before MMEngine's hooks, so that the number is among the metrics that these log.
    priority = 'HIGHEST'

    def __init__(self, max_share: float = 0.05, in_testing: str = 'wrong', interval: int = 50) -> None:
        check_number('max_share', max_share)
        if not 0 <= max_share <= 1:
            raise ValueError(f'max_share must lie in [0, 1], got {max_share}')
        if in_testing not in IN_TESTING:
            raise ValueError(f'in_testing must be one of {IN_TESTING}, got {in_testing!r}')
        check_count('interval', interval)
        self.max_share, self.in_testing, self.interval = max_share, in_testing, interval
        self.known: dict[str, dict] = {}
        self._forget()

    def _forget(self) -> None:
        """Begin to count anew."""
        self.new, self.replaced, self.seen = [], 0, 0

    def before_train(self, runner: Runner) -> None:
        """Make the datasets ready before workers start that persist."""
        _tolerate(runner.train_dataloader.dataset, runner.seed or 0, runner.epoch)

    def before_train_epoch(self, runner: Runner) -> None:
        """Tell the datasets the epoch, which replacements depend on."""
        _tolerate(runner.train_dataloader.dataset, runner.seed or 0, runner.epoch)
        self._forget()

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Count what was replaced, and end the run if it was too much."""
        samples = _samples(data_batch)
        self._note(samples)
        self.seen += len(samples)
        if get_world_size() == 1 or (batch_idx + 1) % self.interval == 0:
            self._tell(runner)
        size = len(runner.train_dataloader.dataset)
        if not isinstance(runner.train_loop, EpochBasedTrainLoop) and self.seen * get_world_size() >= size:
            self.after_train_epoch(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Say how many samples were replaced."""
        replaced = self._tell(runner)
        if replaced:
            size = len(runner.train_dataloader.dataset)
            runner.logger.warning(
                f'{replaced} of {size} samples ({_percent(replaced / size)}) of this epoch were broken and replaced; '
                f'more than {_percent(self.max_share)} would end the run'
            )
        self._forget()

    def _note(self, samples: Sequence[BaseDataElement]) -> None:
        """Keep what is new about broken files, and count the samples that had any."""
        marked = [sample.metainfo['bad_data'] for sample in samples if 'bad_data' in sample.metainfo_keys()]
        self.new += [record for found in marked for record in found if record['path'] not in self.known]
        self.replaced += len(marked)

    def _tell(self, runner: Runner) -> int:
        """Log what all ranks found since the last time; returns how many samples they replaced in this epoch."""
        new, replaced = [self.new], [self.replaced]
        if get_world_size() > 1:
            new, replaced = zip(*all_gather_object((self.new, self.replaced)))
        self.new = []
        self._log(runner, itertools.chain(*new))
        size = len(runner.train_dataloader.dataset)
        if sum(replaced) > self.max_share * size:
            raise TooMuchBadDataError(self._summary(sum(replaced), size))
        return sum(replaced)

    def _log(self, runner: Runner, records: Iterable[dict]) -> None:
        for record in records:
            if self.known.setdefault(record['path'], record) is record:
                runner.logger.warning(f'broken data ({record["status"]}): {record["reason"]}. {ADVICE}')

    def _summary(self, replaced: int, size: int) -> str:
        counts = Counter(record['status'] for record in self.known.values())
        kinds = ', '.join(f'{count} {status}' for status, count in counts.most_common())
        first = next(iter(self.known.values()))
        return (
            f'{replaced} of {size} samples of this epoch are broken, more than max_share = {_percent(self.max_share)} '
            f'allows; {len(self.known)} files so far: {kinds}; the first: {first["reason"]}. {ADVICE}; '
            '--cfg-options default_hooks.bad_data.max_share=... allows more'
        )

    def before_val(self, runner: Runner) -> None:
        """Have broken samples counted as wrong, or raised."""
        self._begin_evaluation(runner, runner.val_dataloader.dataset)

    def before_test(self, runner: Runner) -> None:
        """Have broken samples counted as wrong, or raised."""
        self._begin_evaluation(runner, runner.test_dataloader.dataset)

    def _begin_evaluation(self, runner: Runner, dataset: Dataset) -> None:
        self.wrong = {}
        for part in parts_with('tolerate_bad_data', dataset):
            part.tolerate_bad_data() if self.in_testing == 'wrong' else part.raise_bad_data()
        self.handle = unwrapped(runner.model).register_forward_hook(self._count_as_wrong)

    def _count_as_wrong(self, model: torch.nn.Module, inputs: tuple, outputs: object) -> None:
        """Change the predictions of samples that are stand-ins."""
        for sample in outputs if isinstance(outputs, (list, tuple)) else ():
            if isinstance(sample, BaseDataElement) and 'bad_data' in sample.metainfo_keys():
                record = sample.metainfo['bad_data'][0]
                self.wrong[record['place']] = record
                _predict_wrongly(sample)

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """List what counted as wrong, and put its number among the metrics."""
        self._end_evaluation(runner, metrics)

    def after_test_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """List what counted as wrong, and put its number among the metrics."""
        self._end_evaluation(runner, metrics)

    def _end_evaluation(self, runner: Runner, metrics: dict | None) -> None:
        self.handle.remove()
        wrong = {}
        for found in all_gather_object(self.wrong):
            wrong |= found
        self._log(runner, (wrong[place] for place in sorted(wrong)))
        if wrong:
            runner.logger.warning(f'{len(wrong)} samples are broken and count as wrong in these metrics')
            if metrics is not None:
                # NOTE: MMEngine makes NumPy numbers of these, and its log of a test drops NumPy's integers.
                metrics['bad_data/counted_wrong'] = float(len(wrong))


def parts_with(attribute: str, dataset: Dataset) -> Iterator[Dataset]:
    """The dataset, or those inside of wrappers such as RepeatDataset, if they have an attribute."""
    if hasattr(dataset, attribute):
        yield dataset
    for part in (*getattr(dataset, 'datasets', ()), getattr(dataset, 'dataset', None)):
        if part is not None:
            yield from parts_with(attribute, part)


def _tolerate(dataset: Dataset, seed: int, epoch: int) -> None:
    for part in parts_with('tolerate_bad_data', dataset):
        part.tolerate_bad_data(seed, epoch)


def _samples(data_batch: object) -> list[BaseDataElement]:
    samples = data_batch.get('data_samples') if isinstance(data_batch, dict) else None
    return [sample for sample in samples or [] if isinstance(sample, BaseDataElement)]


def _predict_wrongly(sample: BaseDataElement) -> None:
    """The prediction that is worst for a sample: its label's score is the lowest, (classes,)."""
    scores, label = sample.pred_score, sample.gt_label.to(sample.pred_score.device)
    if label.numel() == 1:
        worst = torch.full_like(scores, 1 / max(len(scores) - 1, 1))
        worst[label] = 0
    else:
        # Samples are ranked by these: the bounds of probabilities, or what no logit comes close to.
        lowest, highest = (0, 1) if ((scores >= 0) & (scores <= 1)).all() else (-LARGEST_LOGIT, LARGEST_LOGIT)
        worst = torch.where(label > 0, torch.full_like(scores, lowest), torch.full_like(scores, highest))
    sample.set_pred_score(worst)
    sample.set_pred_label(worst.argmax(dim=-1, keepdim=True))


def _percent(share: float) -> str:
    return f'{100 * share:.3g} %'
