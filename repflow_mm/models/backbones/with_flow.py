"""Any backbone with flow blocks, from a config."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from mmaction.registry import MODELS
from torch import Tensor, nn

from repflow_mm.models.insertion import FlowConfig, insert_flow

# Libraries whose backbones return a tuple, which MMAction2's recognizers unpack by the name of the config's type only.
OPENMMLAB_IMAGES = ('mmpretrain', 'mmcls')


def with_flow(
    backbone: dict, flow: FlowConfig = None, num_segments: int | None = None, input_shape: Sequence[int] | None = None
) -> nn.Module:
    """Build a backbone and insert flow blocks; registered as ``'WithFlow'``.

    What comes back is the backbone itself: its class, its attributes and the names of its weights stay, so checkpoints
    of MMAction2 load; the blocks are under ``flow_blocks``.

    Args:
        backbone (dict): Config of any backbone that MMAction2's registry can build, ``'mmpretrain.NAME'`` among them,
            or ``'timm.NAME'``, which is built without pooling and classifier unless the config says otherwise.
        flow (dict | list[dict], optional): See :func:`repflow_mm.models.insert_flow`. Defaults to None, the network as
            it is.
        num_segments (int, optional): See :func:`repflow_mm.models.insert_flow`.
        input_shape (Sequence[int], optional): See :func:`repflow_mm.models.insert_flow`.

    Returns:
        nn.Module: The backbone.

    Raises:
        ImportError: If the library of the backbone is not installed.
        TypeError, ValueError: As :func:`repflow_mm.models.insert_flow` has it.
    """
    return insert_flow(_build(dict(backbone)), flow, num_segments, input_shape)


def _expected_input(cfg: dict) -> dict:
    """What the network of a ``'WithFlow'`` config takes: ``channels``, and ``num_segments`` or None."""
    backbone = cfg.get('backbone') or {}
    return dict(
        channels=backbone.get('in_channels', backbone.get('in_chans', 3)),
        num_segments=cfg.get('num_segments') or backbone.get('num_segments') if cfg.get('flow') else None,
    )


with_flow.expected_input = _expected_input
MODELS.register_module('WithFlow', module=with_flow)


def _build(cfg: dict) -> nn.Module:
    library, _, name = str(cfg['type']).rpartition('.')
    if library == 'timm':
        cfg.pop('type')
        return _library('timm', name).create_model(name, **{'num_classes': 0, 'global_pool': '', **cfg})
    if library in OPENMMLAB_IMAGES:
        _library(f'{library}.models', name)
    network = MODELS.build(cfg)
    if library in OPENMMLAB_IMAGES:
        network.register_forward_hook(_unpack)
    return network


def _library(module: str, name: str):
    """A library that a backbone comes from."""
    try:
        return import_module(module)
    except ImportError as error:
        library = module.partition('.')[0]
        raise ImportError(f'the backbone {library}.{name} needs pip install {library} ({error})') from error


def _unpack(network: nn.Module, args: tuple, output: tuple | Tensor) -> tuple | Tensor:
    """Forward hook: a lone feature map instead of a tuple of it."""
    return output[0] if isinstance(output, tuple) and len(output) == 1 else output
