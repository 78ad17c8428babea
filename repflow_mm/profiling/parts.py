"""The parts of a recognizer that a profile has a row for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import nn

from repflow_mm.models.layers import FlowBlock, RepresentationFlow

# What is in no other part, such as pooling by a function, the loss and the moving of data.
REST = 'rest'
BACKBONE, PREPROCESSOR = 'backbone', 'data_preprocessor'
# A list of more modules than this is one part.
MOST_OF_A_LIST = 6
SOLVER = ' solver'


def parts_of(model: nn.Module, run: Callable[[nn.Module], object]) -> dict[str, list[str]]:
    """The parts of a recognizer, as names of modules: preprocessor, stages, flow blocks, their solvers, neck and head.

    The stages are the outermost modules of the backbone that are called by themselves: those of a list if it has few,
    and those of a pathway of SlowFast. The backbone as a part is what runs between them.

    Args:
        model (nn.Module): A recognizer.
        run (Callable): ``run(model)`` makes a forward pass.

    Returns:
        dict[str, list[str]]: Names of each part's modules, by its own name.
    """
    called = called_modules(model, run)
    parts = {PREPROCESSOR: [PREPROCESSOR], BACKBONE: [BACKBONE]}
    for name, modules in _stages(model.get_submodule(BACKBONE), BACKBONE, called):
        parts.setdefault(name, []).extend(modules)
    return parts | flow_parts(model) | {name: [name] for name in ('neck', 'cls_head') if name in called}


def called_modules(model: nn.Module, run: Callable[[nn.Module], object]) -> set[str]:
    """Names of the modules that are called in a forward pass."""
    called, handles = set(), []
    for name, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(lambda *_, name=name: called.add(name)))
    try:
        run(model)
    finally:
        for handle in handles:
            handle.remove()
    return called


def _stages(module: nn.Module, place: str, called: set[str]) -> Iterator[tuple[str, list[str]]]:
    """Name and modules of the stages inside of a module that is no stage itself."""
    for child, inner in module.named_children():
        name = f'{place}.{child}'
        if child == 'flow_blocks':
            continue
        if name in called:
            is_of_long_list = isinstance(module, nn.ModuleList) and len(module) > MOST_OF_A_LIST
            yield place if is_of_long_list else name, [name]
        else:
            yield from _stages(inner, name, called)


def flow_parts(model: nn.Module) -> dict[str, list[str]]:
    """The flow blocks and their solvers, ``'... solver'``, as names of modules; a layer alone is a solver by itself."""
    blocks = [name for name, module in model.named_modules() if isinstance(module, FlowBlock)]
    parts = {name: [name] for name in blocks}
    for name, module in model.named_modules():
        if isinstance(module, RepresentationFlow):
            block = next((block for block in blocks if name.startswith(f'{block}.')), name)
            parts.setdefault(f'{block}{SOLVER}', []).append(name)
    return parts


def modules_of(model: nn.Module, parts: dict[str, list[str]]) -> dict[str, list[nn.Module]]:
    """The modules that parts name."""
    return {name: [model.get_submodule(module) for module in modules] for name, modules in parts.items()}


def parameters_by_part(model: nn.Module, parts: dict[str, list[str]]) -> dict[str, int]:
    """Number of parameters of each part, each counted with the innermost part that it is in."""
    numbers = dict.fromkeys((*parts, REST), 0)
    places = {module: part for part, modules in parts.items() for module in modules}
    for name, parameter in model.named_parameters():
        around = [module for module in places if name.startswith(f'{module}.')]
        numbers[places[max(around, key=len)] if around else REST] += parameter.numel()
    return numbers
