"""Where the time goes that a data set takes to give a sample."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Dataset

from repflow_mm.datasets import BadDataError
from repflow_mm.progress import progress_bar


@dataclass(frozen=True)
class PipelineProfile:
    """How samples are made, in one process.

    Attributes:
        seconds: Mean of each step of the pipeline, by its type.
        original_size: Height and width of the frames as they are stored, or None if no step tells it.
        size: Height and width of what the network gets.
    """

    seconds: dict[str, float]
    original_size: tuple[int, int] | None
    size: tuple[int, int]


def profile_pipeline(dataset: Dataset, count: int) -> PipelineProfile | None:
    """Time the steps of a data set's pipeline on samples from all over it.

    Args:
        dataset (Dataset): MMEngine's BaseDataset, or a wrapper of one, such as RepeatDataset.
        count (int): Samples, of which those that are broken do not count.

    Returns:
        PipelineProfile | None: None if no sample could be made.
    """
    while not hasattr(dataset, 'pipeline'):
        dataset = dataset.datasets[0] if hasattr(dataset, 'datasets') else dataset.dataset
    totals, made, results, original = defaultdict(float), 0, None, None
    for index in progress_bar(np.linspace(0, len(dataset) - 1, count).astype(int), desc='samples', leave=False):
        try:
            seconds, results, original = _timed_sample(dataset, int(index))
        except BadDataError:
            continue
        made += 1
        for name, value in seconds.items():
            totals[name] += value
    if not made:
        return None
    means = {name: value / made for name, value in totals.items()}
    return PipelineProfile(means, original, tuple(results['inputs'].shape[-2:]))


def _timed_sample(dataset: Dataset, index: int) -> tuple[dict[str, float], dict, tuple[int, int] | None]:
    """Seconds of each step for a sample, the packed sample, and the size of its frames as they are stored."""
    results, seconds, original = dataset.get_data_info(index), defaultdict(float), None
    for step in dataset.pipeline.transforms:
        start = time.perf_counter()
        results = step(results)
        seconds[type(step).__name__] += time.perf_counter() - start
        if results is None:
            raise BadDataError(f'sample {index}: the pipeline gives nothing')
        original = results.get('original_shape', original)
    return seconds, results, original and tuple(original)
