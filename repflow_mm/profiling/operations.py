"""Operations of a forward pass, counted without computing it where a network allows that."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from repflow_mm.models import RepresentationFlow
from repflow_mm.ops.limits import count_operations
from repflow_mm.profiling.meter import Meter
from repflow_mm.profiling.parts import REST, SOLVER, flow_parts, modules_of

Result = TypeVar('Result')


def network_operations(network: nn.Module, shape: Sequence[int]) -> tuple[int, int]:
    """Operations of a network's forward pass: those outside of its flow layers, and those of the flow layers.

    Args:
        network (nn.Module): A network, with :class:`repflow_mm.models.RepresentationFlow` layers or without.
        shape (Sequence[int]): Shape of its input.

    Returns:
        tuple[int, int]: See :func:`operations_by_part`.
    """
    parts = flow_parts(network)
    numbers = operations_by_part(network, lambda net: net(torch.empty(tuple(shape), device=device_of(net))), parts)
    solved = sum(number for name, number in numbers.items() if name.endswith(SOLVER))
    return sum(numbers.values()) - solved, solved


def operations_by_part(
    network: nn.Module, run: Callable[[nn.Module], object], parts: dict[str, list[str]]
) -> dict[str, int]:
    """Operations of each part of a network in a forward pass; a part has those of the parts in it apart.

    A multiply-add is two, as torch's counter has it. That counter sees convolutions and matrix products alone, so the
    rest of a network (norms, activations, pooling) is left out. What the flow layers do is counted by
    :func:`repflow_mm.ops.limits.count_operations`, whatever computes it.

    Args:
        network (nn.Module): The network, left as it was.
        run (Callable): ``run(network)`` makes a forward pass where the network is, see :func:`device_of`.
        parts (dict[str, list[str]]): Names of each part's modules.

    Returns:
        dict[str, int]: Operations by the part's name; those outside of all parts are under ``'rest'``.
    """
    return on_meta(network, lambda network: _count(network, run, parts))


def on_meta(network: nn.Module, function: Callable[[nn.Module], Result]) -> Result:
    """Call a function with a copy of the network on the meta device, or, if that fails, with one on its own device."""
    try:
        return function(copy.deepcopy(network).to('meta'))
    except Exception:  # a network refuses shapes without numbers in any way it likes
        return function(copy.deepcopy(network))


def device_of(network: nn.Module) -> torch.device:
    """Where a network is; the CPU if it has no parameters."""
    parameter = next(network.parameters(), None)
    return torch.device('cpu') if parameter is None else parameter.device


def _count(network: nn.Module, run: Callable[[nn.Module], object], parts: dict[str, list[str]]) -> dict[str, int]:
    solved = []
    for module in network.modules():
        if isinstance(module, RepresentationFlow):
            # A backend may be made of convolutions, which the counter would add to the network's.
            module.forward = _counting_forward(module, solved)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        meter = Meter(lambda: counter.get_total_flops() + sum(solved))
        with meter.watching(modules_of(network, parts)), meter.part(REST):
            run(network)
    return {**dict.fromkeys((*parts, REST), 0), **meter.amounts}


def _counting_forward(layer: RepresentationFlow, solved: list[int]) -> Callable[[Tensor], Tensor]:
    def forward(x: Tensor) -> Tensor:
        solved.append(count_operations(x.shape, layer.num_iters))
        n, c, t, h, w = x.shape
        return x.new_empty((n, 2 * c, t - 1, h, w))

    return forward
