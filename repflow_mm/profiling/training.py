"""Training steps of a recognizer: how long each part takes, with data loading and without."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from mmengine.optim import OptimWrapper
from torch import nn
from torch.utils.data import DataLoader

from repflow_mm.profiling.meter import Meter, clock
from repflow_mm.profiling.operations import device_of
from repflow_mm.profiling.parts import PREPROCESSOR, SOLVER, flow_parts, modules_of
from repflow_mm.progress import progress_bar

PREPROCESSING, FORWARD, BACKWARD, OPTIMIZER = 'preprocessing', 'network, forward', 'network, backward', 'optimizer'
FLOW = ('flow block, forward', 'flow block, backward')
SOLVERS = ('flow solver, forward', 'flow solver, backward')
STEP_PARTS = (PREPROCESSING, FORWARD, BACKWARD, *FLOW, *SOLVERS, OPTIMIZER)


@dataclass(frozen=True)
class StepProfile:
    """Training steps with a batch that is there.

    Attributes:
        batch_size: Clips of a step.
        seconds: Median of the whole steps.
        parts: Medians of the parts of a step; a part has not what is inside of another one. Where a GPU waits for
            the end of each part, they may add up to more than the whole.
    """

    batch_size: int
    seconds: float
    parts: dict[str, float]


@dataclass(frozen=True)
class LoadedProfile:
    """Training steps with data loading.

    Attributes:
        seconds: Mean of the whole steps, the wait for data included.
        wait: Mean of the wait for a batch.
        loading: Seconds between two batches of the loader where nothing else runs.
    """

    seconds: float
    wait: float
    loading: float


def profile_step(model: nn.Module, optimizer: OptimWrapper, batch: dict, repeats: int) -> StepProfile:
    """Time training steps with one batch, which stays on the CPU as the loader gives it.

    Args:
        model (nn.Module): The recognizer, where it is to run; it is trained.
        optimizer (OptimWrapper): Its optimizer.
        batch (dict): ``inputs`` and ``data_samples``.
        repeats (int): Steps that are timed, after one that is not; as many again for the parts.
    """
    model.train()
    whole, divided = [], []
    read = clock(device_of(model))
    for repeat in progress_bar(range(-1, repeats), desc='training steps', leave=False):
        start = read()
        model.train_step(batch, optimizer)
        whole.append(read() - start)
        if repeat >= 0:
            divided.append(divided_step(model, optimizer, batch))
    parts = {name: statistics.median(turn.get(name, 0.0) for turn in divided) for name in STEP_PARTS}
    return StepProfile(len(batch['data_samples']), statistics.median(whole[1:]), parts)


def divided_step(model: nn.Module, optimizer: OptimWrapper, batch: dict) -> dict[str, float]:
    """Seconds of each part of one training step."""
    meter = Meter(clock(device_of(model)))
    names = flow_parts(model)
    solvers = [module for name, modules in names.items() if name.endswith(SOLVER) for module in modules]
    blocks = [module for name, modules in names.items() if not name.endswith(SOLVER) for module in modules]
    watched = {PREPROCESSING: [PREPROCESSOR], FLOW[0]: blocks, SOLVERS[0]: solvers}
    with ExitStack() as stack:
        stack.enter_context(meter.watching(modules_of(model, watched)))
        stack.enter_context(meter.watching_backward(modules_of(model, {FLOW[1]: blocks, SOLVERS[1]: solvers})))
        stack.enter_context(meter.watching_method(optimizer, 'backward', BACKWARD))
        for method in ('step', 'zero_grad'):
            stack.enter_context(meter.watching_method(optimizer, method, OPTIMIZER))
        stack.enter_context(meter.part(FORWARD))
        model.train_step(batch, optimizer)
    return dict(meter.amounts)


def profile_loading(model: nn.Module, optimizer: OptimWrapper, loader: DataLoader, repeats: int) -> LoadedProfile:
    """Time the loader alone, then training steps with what it gives.

    What the workers have read ahead is used up before the steps, which would otherwise seem not to wait.

    Args:
        model (nn.Module): The recognizer; it is trained.
        optimizer (OptimWrapper): Its optimizer.
        loader (DataLoader): Gives a batch at least; it begins anew at its end.
        repeats (int): Steps that are timed, after one that is not.
    """
    batches = endless(loader)
    ahead = loader.num_workers * (loader.prefetch_factor or 0)
    read = clock(device_of(model))
    loading = _time_loader(batches, max(ahead + loader.num_workers, repeats), loader.num_workers, read)
    model.train()
    waits, start = [], 0.0
    for repeat in progress_bar(range(-1, repeats), desc='training steps with data loading', leave=False):
        before = read()
        batch = next(batches)
        after = read()
        model.train_step(batch, optimizer)
        if repeat < 0:
            start = read()
        else:
            waits.append(after - before)
    return LoadedProfile((read() - start) / repeats, statistics.mean(waits), loading)


def endless(loader: DataLoader) -> Iterator[dict]:
    """Batches of one epoch after the other."""
    while True:
        yield from loader


def _time_loader(batches: Iterator[dict], count: int, num_workers: int, read: Callable[[], float]) -> float:
    """Seconds between two batches, once every worker has given its first."""
    for _ in range(max(num_workers, 1)):
        next(batches)
    start = read()
    for _ in progress_bar(range(count), desc='batches', leave=False):
        next(batches)
    return (read() - start) / count
