"""Times of calls on a GPU: with what the CPU takes to start them, and of their kernels alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch

from repflow_mm.testing.timing import synchronise

Calls = Sequence[Callable[[], object]]


def call_seconds(calls: Calls, repeats: int, device: str, warm_ups: int = 1) -> list[float]:
    """Seconds a call, calls queued one after another; each repeat runs all of them once.

    Whichever is longer counts: a call's kernels on the GPU, or its start on the CPU. Warm-ups, which compile and
    allocate, are not counted.
    """
    seconds = []
    for _ in range(warm_ups + repeats):
        synchronise(device)
        start = time.perf_counter()
        for call in calls:
            call()
        synchronise(device)
        seconds.append((time.perf_counter() - start) / len(calls))
    return seconds[warm_ups:]


def graph_seconds(calls: Calls, repeats: int) -> list[float]:
    """Seconds a call of what the GPU does for it: all calls captured in a CUDA graph, which is replayed.

    Raises:
        RuntimeError: If a call cannot be captured.
    """
    graph = capture(calls)
    seconds = []
    for _ in range(repeats + 1):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        seconds.append(1e-3 * start.elapsed_time(end) / len(calls))
    return seconds[1:]


def capture(calls: Calls) -> torch.cuda.CUDAGraph:
    """A CUDA graph of the calls, after one round of them on a stream of its own, as torch asks for."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for call in calls:
            call()
    torch.cuda.current_stream().wait_stream(stream)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for call in calls:
            call()
    return graph
