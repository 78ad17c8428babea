"""Checks of a model that is built, before anything long begins."""

from __future__ import annotations

import os.path as osp
import re
from collections.abc import Iterator

from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from repflow_mm.models.convert import refuse_released
from repflow_mm.models.trial import find_trial
from repflow_mm.models.wrapping import unwrapped


def check_model(model: nn.Module, is_trained_anew: bool) -> None:
    """Check that a recognizer's head fits its backbone, and that the weights it starts from can be had.

    Args:
        model (nn.Module): The recognizer, wrapped for distributed training or not.
        is_trained_anew (bool): Whether its parts are going to be initialised, from ``pretrained`` or ``init_cfg`` where
            they have it.

    Raises:
        FileNotFoundError: If a file of those weights does not exist.
        ConnectionError: If they cannot be downloaded.
        ValueError: If they are no plain checkpoint, the authors' under their own names, or have nothing behind the
            prefix that ``init_cfg`` names; or if the head takes another number of channels than the backbone gives.
    """
    model = unwrapped(model)
    _check_head_channels(model)
    if is_trained_anew:
        for setting, source, prefix in _starting_weights(model):
            _check_source(setting, source, prefix)


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


def _starting_weights(model: nn.Module) -> Iterator[tuple[str, str, str]]:
    """Setting, source and prefix of the weights that each part starts from."""
    for name, module in model.named_modules():
        place = f'model.{name}' if name else 'model'
        source = getattr(module, 'pretrained', None)
        if isinstance(source, str):
            # Some constructors give the same file to ``init_cfg`` too.
            yield f'{place}.pretrained', source, ''
            continue
        given = getattr(module, 'init_cfg', None)
        for number, settings in enumerate(given if isinstance(given, (list, tuple)) else [given]):
            if isinstance(settings, dict) and _type_name(settings) in ('Pretrained', 'PretrainedInit'):
                which = f'.{number}' if isinstance(given, (list, tuple)) else ''
                yield f'{place}.init_cfg{which}.checkpoint', settings['checkpoint'], settings.get('prefix') or ''


def _type_name(settings: dict) -> str:
    kind = settings.get('type')
    return getattr(kind, '__name__', kind)


def _check_source(setting: str, source: str, prefix: str) -> None:
    whole = re.sub(r'(\.\d+)?\.checkpoint$', '', setting)
    way_out = f'give a file with --cfg-options {setting}=PATH, or start from scratch with {whole}=None'
    if '://' not in source and not osp.isfile(osp.expanduser(source)):
        raise FileNotFoundError(f'{setting}: {source} does not exist; {way_out}')
    try:
        content = CheckpointLoader.load_checkpoint(source, map_location='cpu')
    except ConnectionError as error:
        raise ConnectionError(f'{setting}: {error}; {way_out}') from error
    state = content.get('state_dict', content) if isinstance(content, dict) else {}
    refuse_released(state, source)
    if prefix and not any(name.startswith(prefix.removesuffix('.') + '.') for name in state):
        found = ', '.join(sorted({name.split('.')[0] for name in state})[:6]) or 'none'
        raise ValueError(
            f'{setting}: no tensor of {source} is in {prefix!r}, the prefix of init_cfg; its names begin with: {found}'
        )
