"""In whose registries the names of a config are looked up."""

from __future__ import annotations

from contextlib import AbstractContextManager

from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch.utils.data import Dataset


def scope_of(cfg: Config) -> AbstractContextManager:
    """The default scope of a config, MMAction2's if it names none, whatever scope is set outside of the block.

    Args:
        cfg (Config): The config.
    """
    return DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmaction'))


def build_test_set(cfg: Config) -> Dataset:
    """The data set that a config is tested on."""
    with scope_of(cfg):
        return DATASETS.build(cfg.test_dataloader.dataset)
