"""Late fusion: scores of several runs averaged, sample by sample."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from repflow_mm.evaluation.score_files import read_score_file
from repflow_mm.flow_names import FLOW_FILE_SUFFIX, flow_name
from repflow_mm.progress import progress_bar

# Steps from 0 to 1 of the grid in which weights are searched, and how many candidates it may have.
GRID_STEPS = (20, 10, 5, 2, 1)
MAX_CANDIDATES = 2000


class Scores(NamedTuple):
    """Scores of one run: ``names`` of M samples, ``labels`` (M,), and ``probabilities`` (M, classes).

    ``labels`` of samples of several labels are (M, classes), bool. ``of_frames`` says whether the names are those of
    RawframeDataset, ``frame_dir``, and not videos' ``filename``. ``broken`` is the number of samples that could not be
    read, and that count as wrong.
    """

    names: tuple[str, ...]
    labels: np.ndarray
    probabilities: np.ndarray
    of_frames: bool = False
    broken: int = 0

    @property
    def has_several_labels(self) -> bool:
        """Whether samples may have several labels each."""
        return self.labels.ndim == 2


def load_scores(path: str | Path, trust: bool = False) -> Scores:
    """Read the file that ``tools/test.py --dump`` wrote, its samples in the order of their names.

    A sample's name is its ``filename``, or its ``frame_dir`` if it has none, with its ``offset`` if it is a part of a
    video or of a folder; a sample that a list repeats counts as often, and its names are numbered. Scores that are no
    probabilities (``average_clips='score'``) are normalised by a softmax, or by a sigmoid for each class where samples
    have several labels.

    Args:
        path (str | Path): A pickle file, see :func:`repflow_mm.evaluation.score_files.read_score_file`.
        trust (bool): Read it with pickle, which runs what code it carries. Defaults to False.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no dump of classification scores, or samples have no names or not one each.
    """
    samples = read_score_file(path, trust)
    of_frames = 'filename' not in samples[0] and 'frame_dir' in samples[0]
    key = 'frame_dir' if of_frames else 'filename'
    named = _named_samples(path, samples, key)
    names = sorted(named, key=lambda name: (_without_suffix(name, of_frames), name))
    named = {name: named[name] for name in names}
    scores = _all_scores(path, named)
    labels = _all_labels(path, named, classes=scores.shape[1])
    probabilities = _probabilities(scores, of_several_labels=labels.ndim == 2)
    return Scores(tuple(names), labels, probabilities, of_frames, sum('bad_data' in sample for sample in samples))


def _named_samples(path: str | Path, samples: Sequence[dict], key: str) -> dict[str, dict]:
    """The samples by their names, of which no two are the same."""
    missing = {key, 'pred_score', 'gt_label'} - set.intersection(*map(set, samples))
    if missing:
        raise ValueError(
            f"{path}: samples lack {sorted(missing)}; names need meta_keys=('filename',), for frames ('frame_dir',), "
            "in the test pipeline's PackActionInputs"
        )
    odd = [sample[key] for sample in samples if not isinstance(sample[key], str) or not sample[key]]
    if odd:
        raise ValueError(f'{path}: the {key} of a sample must be its name, got {_shown(odd[0])}')
    named = _by_name(samples, key)
    if len(named) != len(samples):
        raise ValueError(f'{path}: {len(samples)} samples have only {len(named)} different names')
    return named


def _all_scores(path: str | Path, named: dict[str, dict]) -> np.ndarray:
    """The scores of all samples, (M, classes)."""
    scores = [_checked_scores(f'{path}: {name!r}', sample['pred_score']) for name, sample in named.items()]
    classes = sorted(set(map(len, scores)))
    if len(classes) > 1:
        raise ValueError(f'{path}: samples have different numbers of classes: {", ".join(map(str, classes))}')
    return np.stack(scores)


def _all_labels(path: str | Path, named: dict[str, dict], classes: int) -> np.ndarray:
    """The label of each sample, (M,), or whether it has each of several, (M, classes), bool."""
    labels = {name: _checked_label(f'{path}: {name!r}', sample['gt_label'], classes) for name, sample in named.items()}
    several = {isinstance(label, np.ndarray): name for name, label in reversed(labels.items())}
    if len(several) > 1:
        raise ValueError(f'{path}: {several[False]!r} has one label, {several[True]!r} several')
    return np.array(list(labels.values()))


def _by_name(samples: Sequence[dict], key: str) -> dict[str, dict]:
    """The samples by their names, with a number where one repeats another; one of other scores takes its place."""
    named, times = {}, Counter()
    for sample in samples:
        name = _name(sample, key)
        times[name] += 1
        repeats = name in named and all(
            _is_alike(named[name][part], sample[part]) for part in ('pred_score', 'gt_label')
        )
        named[f'{name} ({times[name]})' if repeats else name] = sample
    return named


def _is_alike(value: object, other: object) -> bool:
    """Whether values are tensors that differ by rounding alone."""
    are_tensors = isinstance(value, Tensor) and isinstance(other, Tensor) and value.shape == other.shape
    return are_tensors and torch.allclose(value.double(), other.double(), rtol=0, atol=1e-3)


def _name(sample: dict, key: str) -> str:
    """What a sample is known by: ``a@95.mp4`` for the part of ``a.mp4`` that begins after 95 frames."""
    if 'offset' not in sample:
        return sample[key]
    stem, suffix = os.path.splitext(sample[key]) if key == 'filename' else (sample[key], '')
    return f'{stem}@{sample["offset"]}{suffix}'


def _checked_scores(place: str, value: object) -> np.ndarray:
    """A sample's scores, (classes,)."""
    if not isinstance(value, Tensor) or value.ndim != 1 or not len(value) or not value.is_floating_point():
        raise ValueError(f'{place}: pred_score must be a tensor (classes,) of floats, got {_shown(value)}')
    return value.double().numpy()


def _checked_label(place: str, value: object, classes: int) -> int | np.ndarray:
    """A sample's only label, or whether it has each label, (classes,), bool."""
    if isinstance(value, Tensor) and value.shape == (classes,) and classes > 1 and ((value == 0) | (value == 1)).all():
        return value.bool().numpy()
    is_whole = isinstance(value, Tensor) and not value.is_floating_point() and not value.is_complex()
    if not is_whole or value.numel() != 1:
        raise ValueError(
            f'{place}: gt_label must be a tensor of one integer, got {_shown(value)}; several labels are a tensor of 0 '
            f'or 1 for each of the {classes} classes'
        )
    if not 0 <= value.item() < classes:
        raise ValueError(f'{place}: gt_label must lie in [0, {classes}), got {value.item()}')
    return int(value.item())


def _shown(value: object) -> str:
    """A value in a few words."""
    if isinstance(value, Tensor):
        return f'{tuple(value.shape)} {str(value.dtype).removeprefix("torch.")}'
    return type(value).__name__


def _without_suffix(name: str, of_frames: bool) -> str:
    """A name as that of a video's flow."""
    return flow_name(name.removesuffix(FLOW_FILE_SUFFIX) if of_frames else os.path.splitext(name)[0])


def _below_root(run: Scores) -> list[str]:
    """Names as :func:`_without_suffix` gives them, relative to the innermost folder that holds all of them."""
    names = [_without_suffix(name, run.of_frames) for name in run.names]
    root = os.path.commonpath([os.path.dirname(name) for name in names])
    return [os.path.relpath(name, root or '.') for name in names]


def _probabilities(scores: np.ndarray, of_several_labels: bool) -> np.ndarray:
    """(M, classes): as it is if rows are probabilities, else their softmax, of several labels their sigmoid."""
    scores = scores.astype(np.float64)
    if of_several_labels:
        # The sigmoid in a form that does not overflow.
        return scores if ((scores >= 0) & (scores <= 1)).all() else (1 + np.tanh(scores / 2)) / 2
    if (scores >= 0).all() and np.allclose(scores.sum(axis=1), 1, atol=1e-3):
        return scores
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def check_same_samples(runs: dict[str, Scores]) -> None:
    """Raise ValueError, naming the first difference, unless all runs have the same samples, labels and classes.

    Videos are the same if their paths are. A video and a folder of frames, which lie in different places, are the same
    if their paths are below the innermost folder with all samples of their run, but for the suffix of the video and
    for blanks, which are ``_`` in the names of frames.
    """
    (first_name, first), *others = runs.items()
    for name, other in others:
        names, other_names = first.names, other.names
        if first.of_frames != other.of_frames:
            names, other_names = _below_root(first), _below_root(other)
        count, other_count = Counter(names), Counter(other_names)
        different = sorted((count - other_count) + (other_count - count))
        if different:
            where = first_name if count[different[0]] > other_count[different[0]] else name
            raise ValueError(f'{first_name} and {name} have different samples: {different[0]} is only in {where}')
        if first.has_several_labels != other.has_several_labels:
            one, more = (name, first_name) if first.has_several_labels else (first_name, name)
            raise ValueError(f'samples have one label each in {one}, several in {more}')
        if first.probabilities.shape != other.probabilities.shape:
            shapes = first.probabilities.shape[1], other.probabilities.shape[1]
            raise ValueError(f'{first_name} and {name} have different numbers of classes: {shapes[0]} and {shapes[1]}')
        for sample, a, b in zip(names, first.labels, other.labels):
            if not np.array_equal(a, b):
                a, b = (label if label.ndim == 0 else np.flatnonzero(label).tolist() for label in (a, b))
                raise ValueError(f'{first_name} and {name} disagree on the label of {sample}: {a} and {b}')


def fuse(runs: Sequence[Scores], weights: Sequence[float] | None = None) -> np.ndarray:
    """Weighted mean of the runs' probabilities (M, classes); equal weights by default."""
    weights = [1.0] * len(runs) if weights is None else weights
    if len(weights) != len(runs) or any(weight < 0 for weight in weights) or not sum(weights) > 0:
        raise ValueError(f'weights must be {len(runs)} numbers >= 0, not all 0, got {list(weights)}')
    return sum(w * run.probabilities for w, run in zip(weights, runs)) / sum(weights)


def top_k(probabilities: np.ndarray, labels: np.ndarray, k: int = 1) -> float:
    """Share of samples whose label is among the k highest of (M, classes)."""
    best = np.argsort(-probabilities, axis=1, kind='stable')[:, :k]
    return float((best == labels[:, None]).any(axis=1).mean())


def mean_class_accuracy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Share of a class's samples whose label is the highest of (M, classes): the mean over the classes that occur."""
    right = probabilities.argmax(axis=1) == labels
    return float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))


def mean_average_precision(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """MMAction2's measure for samples of several labels: the mean over classes that occur of their average precision.

    A class's average precision is the area below its steps of precision over recall; samples of the same score count
    together.

    Args:
        probabilities (np.ndarray): (M, classes).
        labels (np.ndarray): Whether each sample has each label, (M, classes), bool.

    Returns:
        float: In [0, 1]; NaN if no sample has a label.
    """
    precisions = [_average_precision(*columns) for columns in zip(probabilities.T, labels.T) if columns[1].any()]
    return float(np.mean(precisions)) if precisions else math.nan


def _average_precision(scores: np.ndarray, has_label: np.ndarray) -> float:
    """Of one class, (M,) each."""
    order = np.argsort(-scores, kind='stable')
    # The last of each run of equal scores.
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    right = np.cumsum(has_label[order])[ends]
    return float((np.diff(right, prepend=0) / right[-1] * right / (ends + 1)).sum())


def weight_grid(num_runs: int) -> tuple[list[tuple[int, ...]], int]:
    """Candidates of a search for weights: all shares that are multiples of a step and sum up to 1, and equal weights.

    The step is 1/20, or the finest of 1/10, 1/5, 1/2 and 1 that gives no more than ``MAX_CANDIDATES``: 1/20 for up to
    four runs, 1/10 for five.

    Args:
        num_runs (int): Number of runs.

    Returns:
        tuple[list[tuple[int, ...]], int]: The weights as integers, to be divided by their sum, equal weights first and
        then with more weight on earlier runs first; and the number of steps from 0 to 1.
    """
    steps = next(n for n in GRID_STEPS if math.comb(n + num_runs - 1, num_runs - 1) <= MAX_CANDIDATES or n == 1)
    return [(1,) * num_runs, *_shares(num_runs, steps)], steps


def _shares(num_runs: int, total: int) -> Iterator[tuple[int, ...]]:
    """Every way to divide ``total`` among the runs, more for the earlier ones first."""
    if num_runs == 1:
        yield (total,)
        return
    for first in range(total, -1, -1):
        for rest in _shares(num_runs - 1, total - first):
            yield (first, *rest)


def search_weights(runs: Sequence[Scores]) -> tuple[list[float], int]:
    """The weights of :func:`weight_grid` with the highest top-1 accuracy; of equally good ones the most even.

    Where samples have several labels, the mean average precision takes the place of top-1.

    Even means a small sum of squared differences from equal weights; if that is the same too, the candidate that comes
    first in the grid is taken, so the result is always the same.

    Args:
        runs (Sequence[Scores]): Scores of each run for the same samples, which must not be those that are reported.

    Returns:
        tuple[list[float], int]: Weights that sum up to 1, and the number of steps from 0 to 1 of the grid.
    """
    candidates, steps = weight_grid(len(runs))

    def worth(weights: tuple[int, ...]) -> tuple[float, Fraction]:
        fused, labels = fuse(runs, weights), runs[0].labels
        if runs[0].has_several_labels:
            worth = mean_average_precision(fused, labels)
        else:
            worth = int((fused.argmax(axis=1) == labels).sum())
        return worth, -sum(Fraction(weight, sum(weights)) ** 2 for weight in weights)

    best = max(progress_bar(candidates, 'searching weights', leave=False), key=worth)
    return [weight / sum(best) for weight in best], steps
