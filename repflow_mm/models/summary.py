"""A recognizer in a few lines: its parts, their parameters, and its flow blocks."""

from __future__ import annotations

from torch import nn

from repflow_mm.models.layers import FlowBlock, RepresentationFlow


def model_summary(model: nn.Module) -> list[str]:
    """The parts of a recognizer and those of its backbone with their parameters, and what each flow block does.

    Args:
        model (nn.Module): A recognizer, or any network.

    Returns:
        list[str]: Lines of text.
    """
    lines = [f'{type(model).__name__}: {count_parameters(model):,} parameters']
    for name, part in model.named_children():
        lines.append(_line(name, part, 1))
        if name == 'backbone':
            lines += [_line(inner, module, 2) for inner, module in part.named_children() if inner != 'flow_blocks']
    blocks = {name: module for name, module in model.named_modules() if isinstance(module, FlowBlock)}
    lines += [f'  {name}: {_flow(block)}' for name, block in blocks.items()]
    return lines if blocks else [*lines, '  no flow blocks']


def count_parameters(module: nn.Module) -> int:
    """Number of a network's parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def _line(name: str, module: nn.Module, depth: int) -> str:
    title = f'{"  " * depth}{name}: {type(module).__name__}'
    return f'{title:<44}{count_parameters(module):>12,}' if count_parameters(module) else title


def _flow(block: FlowBlock) -> str:
    """What a flow block computes, in a line."""
    layers = [step for step in block.steps.values() if isinstance(step, RepresentationFlow)]
    learned = ', '.join(name.removeprefix('raw_') for name, _ in layers[0].named_parameters()) or 'nothing'
    steps = '-'.join(name.rstrip('0123456789') for name in block.steps)
    return (
        f'{steps}, {layers[0].channels} channels, {layers[0].num_iters} iterations, fusion {block.fusion}, '
        f'learns {learned}; {count_parameters(block):,} parameters'
    )
