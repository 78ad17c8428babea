"""What the finished runs of a table's rows say: accuracies, differences between rows, and intervals over clips."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from repflow_mm.evaluation.fusion import check_same_samples, fuse, load_scores, top_k
from repflow_mm.sweeps.intervals import bootstrap_interval
from repflow_mm.sweeps.rows import Row
from repflow_mm.sweeps.runs import Run

# Top-1 accuracy by seed and split.
Accuracies = dict[tuple[int, 'int | None'], float]


class Predictions(NamedTuple):
    """What the runs of a row, one for each seed, say of the clips of all splits.

    Args:
        labels (np.ndarray): The clips' classes, (M,).
        predicted (np.ndarray): The class that each seed's run ranks first, (seeds, M).
        num_classes (int): Number of classes.
        seeds (tuple[int, ...]): The seeds. Defaults to none, for what is not compared with other rows.
        sizes (tuple[int, ...]): Number of clips of each split. Defaults to none: there are no splits.
    """

    labels: np.ndarray
    predicted: np.ndarray
    num_classes: int
    seeds: tuple[int, ...] = ()
    sizes: tuple[int, ...] = ()

    @property
    def right(self) -> np.ndarray:
        """Whether each seed's run is right about each clip, (seeds, M), bool."""
        return self.predicted == self.labels

    @property
    def counts(self) -> np.ndarray:
        """How many clips of a class (row) are taken for a class (column), over all seeds: (classes, classes)."""
        counts = np.zeros((self.num_classes, self.num_classes), int)
        np.add.at(counts, (np.broadcast_to(self.labels, self.predicted.shape), self.predicted), 1)
        return counts

    @property
    def confusion(self) -> np.ndarray:
        """:attr:`counts` as shares of the class's clips."""
        return self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1)

    @property
    def mean_class_accuracy(self) -> float:
        """Mean over the classes that occur of the share of their clips that is predicted right, over all seeds."""
        return float(np.diag(self.confusion)[np.unique(self.labels)].mean())

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Bootstrap interval of the accuracy, mean over the seeds and splits, over other draws of as many clips.

        It says how far the choice of clips matters, not that of the seeds.

        Args:
            level (float): Share of the draws within the interval. Defaults to 0.95.
        """
        return bootstrap_interval(self.right.mean(axis=0), level, self.sizes)

    def difference_interval(self, reference: Predictions, level: float = 0.95) -> tuple[float, float] | None:
        """Bootstrap interval over clips of the difference to another row's accuracy, paired by seed and clip.

        What is drawn is a clip with the results of both rows and all common seeds: their mean difference on it.

        Args:
            reference (Predictions): What the other row's runs predict for the same clips.
            level (float): Share of the draws within the interval. Defaults to 0.95.

        Returns:
            tuple[float, float] | None: None without a common seed, or if the clips are not the same.
        """
        common = [seed for seed in self.seeds if seed in reference.seeds]
        if not common or self.sizes != reference.sizes or not np.array_equal(self.labels, reference.labels):
            return None
        right, other = (found.right[[found.seeds.index(seed) for seed in common]] for found in (self, reference))
        return bootstrap_interval((right.astype(float) - other).mean(axis=0), level, self.sizes)


def row_accuracies(row: Row, runs: Sequence[Run]) -> Accuracies:
    """Top-1 accuracy of a row, by seed and split, where all of its runs are finished."""
    accuracies = {}
    for key, parts in _finished(row, runs).items():
        if len(parts) == 1:
            accuracies[key] = parts[0].result()['acc/top1']
        else:
            accuracies[key] = top_k(*_fused(parts))
    return accuracies


def row_predictions(row: Row, runs: Sequence[Run]) -> Predictions | None:
    """What a row's runs predict for every clip, by the seeds whose runs of all splits are finished, or None."""
    finished = _finished(row, runs)
    splits = dict.fromkeys(run.split for run in runs)
    seeds = [seed for seed in dict.fromkeys(run.seed for run in runs) if all((seed, s) in finished for s in splits)]
    if not seeds:
        return None
    scores = [[_fused(finished[seed, split]) for split in splits] for seed in seeds]
    labels = np.concatenate([labels for _, labels in scores[0]])
    predicted = [np.concatenate([probabilities.argmax(axis=1) for probabilities, _ in parts]) for parts in scores]
    sizes = tuple(len(labels) for _, labels in scores[0])
    return Predictions(labels, np.stack(predicted), scores[0][0][0].shape[1], tuple(seeds), sizes)


def mean_over_splits(found: Accuracies, splits: Sequence[int | None]) -> dict[int, float]:
    """Mean accuracy over the splits, for each seed that has all of them."""
    seeds = dict.fromkeys(seed for seed, _ in found)
    whole = [seed for seed in seeds if all((seed, split) in found for split in splits)]
    return {seed: statistics.mean(found[seed, split] for split in splits) for seed in whole}


def paired_difference(found: dict[int, float], reference: dict[int, float]) -> tuple[float, float | None] | None:
    """Mean and standard error of the difference of two rows' accuracies, seed by seed.

    Args:
        found (dict[int, float]): A row's accuracy by seed.
        reference (dict[int, float]): That of the row that it is compared with.

    Returns:
        tuple[float, float | None] | None: None without a common seed; no standard error with one.
    """
    differences = [found[seed] - reference[seed] for seed in found if seed in reference]
    if not differences:
        return None
    error = statistics.stdev(differences) / math.sqrt(len(differences)) if len(differences) > 1 else None
    return statistics.mean(differences), error


def _finished(row: Row, runs: Sequence[Run]) -> dict[tuple[int, int | None], list[Run]]:
    """The runs of the row's networks, by seed and split, where all of them are finished."""
    of = {(run.network.name, run.seed, run.split): run for run in runs}
    found = {}
    for seed, split in dict.fromkeys((run.seed, run.split) for run in runs):
        parts = [of[network.name, seed, split] for network in row.networks]
        if all(part.result() is not None for part in parts):
            found[seed, split] = parts
    return found


def _fused(parts: Sequence[Run]) -> tuple[np.ndarray, np.ndarray]:
    """Mean probabilities (M, classes) of runs with one seed, and the labels (M,)."""
    scores = {str(part.folder): load_scores(part.folder / 'scores.pkl') for part in parts}
    check_same_samples(scores)
    return fuse(list(scores.values())), next(iter(scores.values())).labels
