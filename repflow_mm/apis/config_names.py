"""Reading of a config, and names in it that no registry has, found before anything is built."""

from __future__ import annotations

import difflib
import os.path as osp
import re
from collections.abc import Iterator
from contextlib import contextmanager

from mmaction import registry
from mmengine.config import Config
from mmengine.registry import Registry

from repflow_mm.apis.preflight import datasets_of

CONFIG_SUFFIXES = ('.py', '.json', '.yaml', '.yml')
# What the TypeErrors of Python and of this package's guards say of a part's arguments.
WRONG_ARGUMENT = r'unexpected keyword argument|missing \d+ required|^\w+ must be .*, got '
MODEL_PARTS = ('backbone', 'neck', 'cls_head', 'data_preprocessor')


def read_config(path: str) -> Config:
    """Read a config file.

    Raises:
        FileNotFoundError: If it does not exist.
        ValueError: If it is no file of a config, or what runs in it fails.
    """
    if not osp.isfile(path):
        raise FileNotFoundError(f'config {path} does not exist')
    if not path.endswith(CONFIG_SUFFIXES):
        raise ValueError(f'config {path} must be a file of {", ".join(CONFIG_SUFFIXES)}')
    try:
        return Config.fromfile(path)
    except (SyntaxError, NameError, LookupError, ImportError, AttributeError, TypeError) as error:
        raise ValueError(f'config {path} cannot be read: {type(error).__name__}: {error}') from error


def check_names(cfg: Config, modes: tuple[str, ...]) -> None:
    """Check that the registries have the types that a config names, for the parts that a run builds late too.

    Args:
        cfg (Config): A runner's config.
        modes (tuple[str]): Which of ``'train'``, ``'val'`` and ``'test'`` are going to run.

    Raises:
        ValueError: If a registry lacks a name; the message says where it stands and what is near it.
    """
    _check_pathways((cfg.get('model') or {}).get('backbone') or {})
    for place, part, known in _parts(cfg, modes):
        name = part.get('type') if isinstance(part, dict) else None
        if isinstance(name, str) and '.' not in name and known.get(name) is None:
            near = difflib.get_close_matches(name, _names(known), n=3)
            hint = f'; the nearest are {", ".join(near)}' if near else ''
            raise ValueError(f"{place} has type '{name}', which the registry of {known.name}s does not have{hint}")


def _check_pathways(backbone: dict) -> None:
    """Check the pathways of SlowFast, whose kinds are in no registry."""
    for name in ('slow_pathway', 'fast_pathway'):
        kind = (backbone.get(name) or backbone.get('backbone', {}).get(name) or {}).get('type', 'resnet3d')
        if kind != 'resnet3d':
            raise ValueError(
                f"{name} has type '{kind}', but SlowFast's pathways are of type 'resnet3d'; for flow in one of them "
                f"put the backbone into dict(type='WithFlow', backbone=dict(type='ResNet3dSlowFast', ...), "
                f"flow=dict(after='{name.removesuffix('way')}.layer2', ...))"
            )


def _parts(cfg: Config, modes: tuple[str, ...]) -> Iterator[tuple[str, object, Registry]]:
    """Place, config and registry of every part that is looked at."""
    model = cfg.get('model') or {}
    yield 'model', model, registry.MODELS
    for name in MODEL_PARTS:
        part = model.get(name) or {}
        yield f'model.{name}', part, registry.MODELS
        yield f'model.{name}.backbone', part.get('backbone') or {}, registry.MODELS  # of WithFlow
    for mode in modes:
        yield from _data_parts(cfg, mode)
    if 'train' in modes:
        wrapper = cfg.get('optim_wrapper') or {}
        yield 'optim_wrapper', wrapper, registry.OPTIM_WRAPPERS
        yield 'optim_wrapper.optimizer', wrapper.get('optimizer') or {}, registry.OPTIMIZERS
        for number, scheduler in enumerate(_as_list(cfg.get('param_scheduler'))):
            yield f'param_scheduler[{number}]', scheduler, registry.PARAM_SCHEDULERS


def _data_parts(cfg: Config, mode: str) -> Iterator[tuple[str, object, Registry]]:
    loader = f'{mode}_dataloader'
    for dataset in datasets_of((cfg.get(loader) or {}).get('dataset')):
        yield f'{loader}.dataset', dataset, registry.DATASETS
        for number, step in enumerate(dataset.get('pipeline') or []):
            yield f'{loader}.dataset.pipeline[{number}]', step, registry.TRANSFORMS
    for evaluator in _as_list(cfg.get(f'{mode}_evaluator')):
        yield f'{mode}_evaluator', evaluator, registry.METRICS


def set_num_classes(cfg: Config, modes: tuple[str, ...]) -> None:
    """Give the checked datasets that do not know it the head's number of classes, by which they check their labels."""
    num_classes = ((cfg.get('model') or {}).get('cls_head') or {}).get('num_classes')
    for mode in modes:
        for dataset in datasets_of((cfg.get(f'{mode}_dataloader') or {}).get('dataset')):
            if str(dataset.get('type')).startswith('Checked') and num_classes is not None:
                dataset.setdefault('num_classes', num_classes)


def _as_list(parts: object) -> list:
    return list(parts) if isinstance(parts, (list, tuple)) else [parts]


def _names(known: Registry) -> list[str]:
    """The names that a registry and those above it have."""
    names = list(known.module_dict)
    return names + (_names(known.parent) if known.parent is not None else [])


@contextmanager
def config_errors() -> Iterator[None]:
    """Within, where a config's parts are built, a wrong name or argument is a ValueError, as other wrong settings are.

    Raises:
        ValueError: In place of the KeyError of a registry and the TypeError of a call.
    """
    try:
        yield
    except KeyError as error:
        if not re.search(r'is not in the \S+ registry', str(error)):
            raise
        raise ValueError(f'the config cannot be built: {str(error.args[0]).partition(". Please")[0]}') from error
    except TypeError as error:
        if not re.search(WRONG_ARGUMENT, str(error)):
            raise
        raise ValueError(f'the config cannot be built: {error}') from error
