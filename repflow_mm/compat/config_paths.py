"""Configs of this package, by ``'repflow_mm::...'`` and by the names of models."""

from __future__ import annotations

from repflow_mm.compat.patching import replace
from repflow_mm.compat.versions import SUPPORTED_VERSIONS, installed_versions
from repflow_mm.resources import configs_folder, named_configs

PREFIX = 'repflow_mm::'


def find_own_configs() -> bool:
    """Let ``_base_`` and ``Config.fromfile`` find this package's configs (mmengine ``config/utils.py``, no thread).

    Upstream knows a fixed list of packages. ``'repflow_mm::demo/rgb_r18_motion_clips.py'`` is then
    ``configs/demo/rgb_r18_motion_clips.py``, in configs that are read once this package is imported.

    Returns:
        bool: Whether the workaround is in place.
    """
    from mmengine.config import Config

    def make(upstream):
        def _get_cfg_path(cfg_path: str, filename: str):
            if not str(cfg_path).startswith(PREFIX):
                return upstream(cfg_path, filename)
            file = configs_folder() / cfg_path.removeprefix(PREFIX)
            if not file.is_file():
                raise FileNotFoundError(f'{filename}: there is no config {cfg_path}, which would be {file}')
            # No scope: the config's own names are those of MMAction2's registries.
            return str(file), None

        return _get_cfg_path

    replace(Config, '_get_cfg_path', make, static=True)
    return True


def find_configs_of_fork() -> bool:
    """Let ``'mmaction::...'`` find the configs of otxmmaction2 (mmengine ``config/utils.py``, no thread).

    MMEngine knows packages by the names of their distributions, and of ``mmaction`` that of mmaction2 alone.

    Returns:
        bool: Whether the workaround is in place, that is, whether the fork is installed.
    """
    from mmengine.config.utils import MODULE2PACKAGE

    found = installed_versions(SUPPORTED_VERSIONS['mmaction'][0])
    if not found or 'mmaction2' in found:
        return False
    MODULE2PACKAGE['mmaction'] = next(iter(found))
    return True


def find_own_models() -> bool:
    """Let MMAction2's inferencers take the name of a config of this package (mmengine ``infer/infer.py``, no thread).

    Upstream looks for names in the package of the scope alone. No weights are published: the inferencer's own argument
    names them.

    Returns:
        bool: Whether the workaround is in place.
    """
    from mmengine.infer import BaseInferencer

    def make(upstream):
        def _load_model_from_metafile(self, model: str):
            own = {name.lower(): file for name, file in named_configs().items()}
            if model.lower() not in own:
                return upstream(self, model)
            from mmengine.config import Config

            return Config.fromfile(own[model.lower()]), None

        return _load_model_from_metafile

    replace(BaseInferencer, '_load_model_from_metafile', make)
    return True
