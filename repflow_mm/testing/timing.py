"""Timing and memory of a call."""

from __future__ import annotations

import contextlib
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile


def seconds_of(
    calls: dict[str, Callable[[], object]], repeats: int, device: str = 'cpu', progress: str | None = None
) -> dict[str, list[float]]:
    """Seconds of each call, ``repeats`` times, the calls in turn so that a slow moment meets all of them.

    Every call runs once before, unmeasured. ``progress`` is the title of a progress bar; None shows none.
    """
    seconds = {name: [] for name in calls}
    for repeat in _rounds(repeats, progress):
        for name, call in calls.items():
            synchronise(device)
            start = time.perf_counter()
            call()
            synchronise(device)
            if repeat >= 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def _rounds(repeats: int, progress: str | None) -> Iterable[int]:
    """From -1 on, with a progress bar where it is asked for; without one, tqdm need not be installed."""
    rounds = range(-1, repeats)
    if progress is None:
        return rounds
    from tqdm import tqdm

    return tqdm(rounds, progress, leave=False)


def summary(seconds: Sequence[float]) -> dict[str, float]:
    """Minimum, median and maximum of the measured times."""
    return dict(min=min(seconds), median=statistics.median(seconds), max=max(seconds))


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """Bounds between which the median lies with 95 % probability, whatever the values' distribution.

    They are two of the values, as many from each end as the binomial distribution says; of less than six they are the
    least and the largest, and the probability is lower.
    """
    ordered, count = sorted(values), len(values)
    place = max(0, int(count / 2 - 0.98 * math.sqrt(count)))
    return ordered[place], ordered[count - 1 - place]


def kernel_seconds(call: Callable[[], object], device: str, names: tuple[str, ...] = ('',)) -> float:
    """Seconds that a GPU spends in the kernels of a call, without what the CPU takes to start them.

    Small calls are bound by the latter, which a training loop hides as long as the GPU has other work queued.

    Args:
        call (Callable): What is run, once before it is measured.
        device (str): The GPU.
        names (tuple[str]): How the names of the kernels that count begin. Defaults to all kernels.
    """
    call()
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        call()
        synchronise(device)
    events = (event for event in profiler.key_averages() if event.device_type == torch.autograd.DeviceType.CUDA)
    return 1e-6 * sum(event.self_device_time_total for event in events if event.key.startswith(names))


def kept_bytes(forward: Callable[[], Tensor], device: str = 'cpu') -> int:
    """Bytes that ``forward`` allocates and keeps for its backward pass, beyond its inputs and its output."""
    if torch.device(device).type == 'cuda':
        before = torch.cuda.memory_allocated(device)
        output = forward()
        return torch.cuda.memory_allocated(device) - before - output.nbytes
    # Hooks on saved tensors miss the indices that masked assignments keep; the allocator's own count does not.
    with _silent_stderr(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        output = forward()
    return sum(event.self_cpu_memory_usage for event in profiler.events()) - output.nbytes


def peak_bytes(call: Callable[[], object], device: str = 'cpu') -> int:
    """The most bytes that are allocated at one time during a call, beyond what was before it.

    On CUDA the allocator's own maximum; on the CPU the sum of what torch's profiler saw allocated and freed, in the
    order of time. Memory that other libraries take for themselves is in neither.
    """
    if torch.device(device).type == 'cuda':
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        call()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    with _silent_stderr(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        result = call()
    del result
    # The profiler's own events are summed by operator; its raw records keep the order.
    records = [event for event in profiler.profiler.kineto_results.events() if event.name() == '[memory]']
    records.sort(key=lambda event: event.start_ns())
    return max(accumulate((event.nbytes() for event in records), initial=0))


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Send what native code writes to stderr nowhere: torch's profiler announces itself there."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def synchronise(device: str) -> None:
    """Wait until the device has done everything that it was given."""
    if torch.device(device).type == 'cuda':
        torch.cuda.synchronize(device)
