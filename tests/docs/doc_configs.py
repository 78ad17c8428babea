"""Configs in the documentation: they are read as a training reads them, and what they define is built."""

from __future__ import annotations

from pathlib import Path

from helpers import ROOT
from mmaction.registry import HOOKS, MODELS
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn

import repflow_mm.registration  # noqa: F401


def build_config(text: str, folder: Path) -> Config:
    """Read a config and build its model or backbone, its pipelines, hooks and optimizer.

    A dots entry stands for what the reader has there, and is left out.
    """
    file = folder / 'config_of_the_page.py'
    file.write_text(text.replace("'configs/", f"'{ROOT}/configs/"))
    cfg = Config.fromfile(file)
    with DefaultScope.overwrite_default_scope('mmaction'):
        network = _build_model(cfg)
        for key in cfg:
            if key.endswith('pipeline'):
                Compose([step for step in cfg[key] if step is not Ellipsis])
        for hook in cfg.get('default_hooks', {}).values():
            HOOKS.build(hook)
        if 'optim_wrapper' in cfg and 'type' in cfg.optim_wrapper.optimizer:
            build_optim_wrapper(network or nn.Linear(1, 1), cfg.optim_wrapper)
    return cfg


def _build_model(cfg: Config) -> nn.Module | None:
    """The recognizer, if the config has all of it, or its parts that have a type."""
    model = cfg.get('model') or Config(dict(backbone=cfg.get('backbone')))
    if 'type' in model:
        return MODELS.build(_without_weights(model))
    parts = [part for part in model.values() if part is not None and part is not Ellipsis and 'type' in part]
    return nn.ModuleList(MODELS.build(_without_weights(part)) for part in parts) if parts else None


def _without_weights(part):
    """The same, without weights to be downloaded."""
    if not isinstance(part, dict):
        return part
    return {key: None if key == 'pretrained' else _without_weights(value) for key, value in part.items()}
