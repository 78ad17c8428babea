"""Checks of a model that is built, before anything long begins."""

from __future__ import annotations

import os.path as osp
from collections.abc import Iterator

from mmengine.model import is_model_wrapper
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from repflow_mm.models.trial import find_trial


def check_model(model: nn.Module, is_trained_anew: bool) -> None:
    """Check that a recognizer's head fits its backbone, and that the weights it starts from can be had.

    Args:
        model (nn.Module): The recognizer, wrapped for distributed training or not.
        is_trained_anew (bool): Whether its parts are going to be initialised, from ``pretrained`` where they have it.

    Raises:
        FileNotFoundError: If a file of ``pretrained`` weights does not exist.
        ConnectionError: If they cannot be downloaded.
        ValueError: If the head takes another number of channels than the backbone gives.
    """
    model = model.module if is_model_wrapper(model) else model
    _check_head_channels(model)
    if is_trained_anew:
        for name, source in _pretrained(model):
            _check_source(name, source)


def _check_head_channels(model: nn.Module) -> None:
    expected = getattr(getattr(model, 'cls_head', None), 'in_channels', None)
    backbone = getattr(model, 'backbone', None)
    if not isinstance(expected, int) or backbone is None or getattr(model, 'neck', None) is not None:
        return
    output = _output_of(backbone)
    if type(model.cls_head).__name__ == 'SlowFastHead' and isinstance(output, Tensor):
        raise ValueError(
            f'model.cls_head is a SlowFastHead, which takes two pathways, but the backbone, {type(backbone).__name__}, '
            'gives one: take I3DHead, or put flow into SlowFast with WithFlow'
        )
    maps = [output] if isinstance(output, Tensor) else output  # SlowFast's head concatenates its pathways' channels
    if not isinstance(maps, (list, tuple)) or not all(isinstance(m, Tensor) and m.ndim in (2, 4, 5) for m in maps):
        return
    found = sum(m.shape[1] for m in maps)
    if found != expected:
        raise ValueError(
            f'model.cls_head.in_channels is {expected}, but the backbone, {type(backbone).__name__}, gives {found} '
            f'channels: set it to {found}'
        )


def _output_of(backbone: nn.Module) -> object:
    """A backbone's output in a trial pass; None if it takes no trial input."""
    try:
        trial = find_trial(backbone, [''], getattr(backbone, 'num_segments', None))
    except ValueError:
        return None
    return trial.outputs[''][0] if trial.outputs[''] else None


def _pretrained(model: nn.Module) -> Iterator[tuple[str, str]]:
    """Name and ``pretrained`` of each part that has one."""
    for name, module in model.named_modules():
        source = getattr(module, 'pretrained', None)
        if isinstance(source, str):
            yield f'model.{name}' if name else 'model', source


def _check_source(name: str, source: str) -> None:
    way_out = (
        f'give a file with --cfg-options {name}.pretrained=PATH, or start from scratch with {name}.pretrained=None'
    )
    if '://' not in source:
        if not osp.isfile(osp.expanduser(source)):
            raise FileNotFoundError(f'{name}.pretrained: {source} does not exist; {way_out}')
        return
    try:
        CheckpointLoader.load_checkpoint(source, map_location='cpu')
    except ConnectionError as error:
        raise ConnectionError(f'{name}.pretrained: {error}; {way_out}') from error
