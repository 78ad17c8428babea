"""Timing and memory of a call."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def seconds_of(calls: dict[str, Callable[[], object]], repeats: int, device: str = 'cpu') -> dict[str, list[float]]:
    """Seconds of each call, ``repeats`` times, the calls in turn so that a slow moment meets all of them.

    Every call runs once before, unmeasured.
    """
    seconds = {name: [] for name in calls}
    for repeat in range(-1, repeats):
        for name, call in calls.items():
            _synchronise(device)
            start = time.perf_counter()
            call()
            _synchronise(device)
            if repeat >= 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def summary(seconds: Sequence[float]) -> dict[str, float]:
    """Minimum, median and maximum of the measured times."""
    return dict(min=min(seconds), median=statistics.median(seconds), max=max(seconds))


def saved_bytes(forward: Callable[[], Tensor]) -> int:
    """Bytes of the distinct storages that ``forward`` keeps for its backward pass, its inputs among them."""
    storages = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = forward()
    total = sum(storages.values())
    del output
    return total


def _synchronise(device: str) -> None:
    if torch.device(device).type == 'cuda':
        torch.cuda.synchronize(device)
