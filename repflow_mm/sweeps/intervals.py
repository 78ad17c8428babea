"""How far a mean over test clips depends on the choice of the clips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

DRAWS = 10000
# Numbers that are drawn at once: a bound on memory.
MOST_AT_ONCE = 1_000_000


def bootstrap_interval(
    values: np.ndarray, level: float = 0.95, sizes: Sequence[int] | None = None
) -> tuple[float, float]:
    """Bootstrap interval of the mean of what was measured on each clip, over other draws of as many clips.

    Percentiles of 10,000 draws with replacement (Efron & Tibshirani, An Introduction to the Bootstrap, 1993,
    Section 13.3), the same draws in every call. Clips of several splits are drawn in each split by itself, and the mean
    is that of the splits' means.

    Args:
        values (np.ndarray): A value for each clip, (M,), such as the share of seeds that are right.
        level (float): Share of the draws within the interval. Defaults to 0.95.
        sizes (Sequence[int], optional): Number of clips of each split, whose clips follow each other. Defaults to None,
            one split.

    Returns:
        tuple[float, float]: Its ends.
    """
    splits = np.split(values, np.cumsum(sizes)[:-1]) if sizes else [values]
    generator = np.random.default_rng(0)
    means = np.mean([_drawn_means(split, generator) for split in splits], axis=0)
    low, high = np.quantile(means, ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)


def _drawn_means(values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The mean of each draw, (DRAWS,)."""
    at_once = max(MOST_AT_ONCE // len(values), 1)
    means = [
        values[generator.integers(len(values), size=(min(at_once, DRAWS - start), len(values)))].mean(axis=1)
        for start in range(0, DRAWS, at_once)
    ]
    return np.concatenate(means)
