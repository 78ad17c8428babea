"""Late fusion: scores of several runs averaged, sample by sample."""

from __future__ import annotations

import os
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Scores(NamedTuple):
    """Scores of one run: ``names`` of M samples, ``labels`` (M,), and ``probabilities`` (M, classes)."""

    names: tuple[str, ...]
    labels: np.ndarray
    probabilities: np.ndarray


def load_scores(path: str | Path) -> Scores:
    """Read the file that ``tools/test.py --dump`` wrote, its samples in the order of their names.

    Scores that are no probabilities (``average_clips='score'``) are normalised by a softmax.

    Args:
        path (str | Path): A pickle file; it is read by pickle, so take it from your own runs only.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no dump of classification scores, or samples have no names or not one each.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f'score file {path} does not exist')
    with open(path, 'rb') as file:
        samples = pickle.load(file)
    if not isinstance(samples, list) or not samples or not all(isinstance(s, dict) for s in samples):
        raise ValueError(
            f'{path} is no dump of tools/test.py: expected a list of samples, got {type(samples).__name__}'
        )
    missing = {'filename', 'pred_score', 'gt_label'} - set(samples[0])
    if missing:
        raise ValueError(
            f"{path}: samples lack {sorted(missing)}; names need meta_keys=('filename',) in the test pipeline's "
            'PackActionInputs'
        )
    named = {sample['filename']: sample for sample in samples}
    if len(named) != len(samples):
        raise ValueError(f'{path}: {len(samples)} samples have only {len(named)} different names')
    names = tuple(sorted(named))
    labels = np.array([int(named[name]['gt_label'].squeeze()) for name in names])
    return Scores(names, labels, _probabilities(np.stack([named[n]['pred_score'].numpy() for n in names])))


def _probabilities(scores: np.ndarray) -> np.ndarray:
    """(M, classes): as it is if rows are probabilities, else their softmax."""
    scores = scores.astype(np.float64)
    if (scores >= 0).all() and np.allclose(scores.sum(axis=1), 1, atol=1e-3):
        return scores
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def check_same_samples(runs: dict[str, Scores]) -> None:
    """Raise ValueError, naming the first difference, unless all runs have the same samples, labels and classes."""
    (first_name, first), *others = runs.items()
    for name, other in others:
        different = sorted(set(first.names) ^ set(other.names))
        if different:
            where = first_name if different[0] in first.names else name
            raise ValueError(f'{first_name} and {name} have different samples: {different[0]} is only in {where}')
        for sample, a, b in zip(first.names, first.labels, other.labels):
            if a != b:
                raise ValueError(f'{first_name} and {name} disagree on the label of {sample}: {a} and {b}')
        if first.probabilities.shape != other.probabilities.shape:
            shapes = first.probabilities.shape[1], other.probabilities.shape[1]
            raise ValueError(f'{first_name} and {name} have different numbers of classes: {shapes[0]} and {shapes[1]}')


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
