"""A recognizer by itself: parameters, operations, and the time of a forward pass, part by part."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from repflow_mm.models.layers import RepresentationFlow
from repflow_mm.ops.backends import BACKENDS
from repflow_mm.profiling.meter import Meter, clock
from repflow_mm.profiling.operations import device_of, on_meta, operations_by_part
from repflow_mm.profiling.parts import REST, SOLVER, modules_of, parameters_by_part, parts_of
from repflow_mm.progress import progress_bar


@dataclass(frozen=True)
class NetworkProfile:
    """What a recognizer costs; the dicts have a value for each part.

    Attributes:
        input_shape: Shape of one clip as the recognizer takes it, (M, C, T, H, W) or (T, C, H, W).
        batch_size: Clips of the forward pass that is timed.
        parameters: Numbers of parameters.
        operations: Those of one clip's forward pass, a multiply-add being two; of solvers those of their equations.
        seconds: Medians of the parts' times in a forward pass of the batch in evaluation mode.
        total_seconds: Median of the whole passes.
        backends: What computes the flow of each solver.
    """

    input_shape: tuple[int, ...]
    batch_size: int
    parameters: dict[str, int]
    operations: dict[str, int]
    seconds: dict[str, float]
    total_seconds: float
    backends: dict[str, str]

    def share(self, names: list[str]) -> float:
        """The parts' share of the time."""
        return sum(self.seconds[name] for name in names) / sum(self.seconds.values())

    @property
    def flow_names(self) -> list[str]:
        """The parts that are flow blocks or solvers."""
        blocks = [name.removesuffix(SOLVER) for name in self.seconds if name.endswith(SOLVER)]
        return [name for name in self.seconds if name.removesuffix(SOLVER) in blocks]


def profile_network(model: nn.Module, batch: dict, repeats: int) -> NetworkProfile:
    """Count and time the forward pass of a recognizer in evaluation mode; it is left in this mode.

    Args:
        model (nn.Module): The recognizer, where it is to run.
        batch (dict): What a data loader gives: ``inputs`` and ``data_samples`` of N clips.
        repeats (int): Passes that are timed, after one that is not.
    """
    model.eval()
    prepared = model.data_preprocessor(batch, training=False)['inputs']  # (N, M, C, T, H, W) or (N, T, C, H, W)
    run = forward_of(prepared[:1])
    parts = on_meta(model, lambda copy: parts_of(copy, run))
    amounts = time_parts(model, batch, parts, repeats)
    return NetworkProfile(
        input_shape=tuple(prepared.shape[1:]),
        batch_size=len(prepared),
        parameters=parameters_by_part(model, parts),
        operations=operations_by_part(model, run, parts),
        seconds={name: statistics.median(turn.get(name, 0.0) for turn in amounts) for name in (*parts, REST)},
        total_seconds=statistics.median(sum(turn.values()) for turn in amounts),
        backends=solver_backends(model),
    )


def forward_of(inputs: Tensor) -> Callable[[nn.Module], object]:
    """A forward pass with prepared inputs, where the model is."""
    return lambda model: model(inputs.to(device_of(model)), mode='tensor', stage='head')


def forward_batch(model: nn.Module, batch: dict) -> Tensor:
    """The head's output for what a data loader gives, preprocessing included."""
    return model(**model.data_preprocessor(batch, training=False), mode='tensor', stage='head')


def time_parts(model: nn.Module, batch: dict, parts: dict[str, list[str]], repeats: int) -> list[dict[str, float]]:
    """Seconds of each part in forward passes of a batch."""
    turns = []
    with torch.no_grad():
        for repeat in progress_bar(range(-1, repeats), desc='forward passes', leave=False):
            meter = Meter(clock(device_of(model)))
            with meter.watching(modules_of(model, parts)), meter.part(REST):
                forward_batch(model, batch)
            if repeat >= 0:
                turns.append(dict(meter.amounts))
    return turns


def solver_backends(model: nn.Module) -> dict[str, str]:
    """The backend of each flow layer, by the layer's name."""
    x = torch.empty(1, 1, 2, 4, 4, device=device_of(model))
    able = next(name for name, backend in BACKENDS.items() if not backend.unsupported_reasons(x))
    layers = {name: module for name, module in model.named_modules() if isinstance(module, RepresentationFlow)}
    return {name: able if layer.backend == 'auto' else layer.backend for name, layer in layers.items()}
