"""Configs of this package as ``'repflow_mm::...'``."""

from __future__ import annotations

from repflow_mm.compat.patching import replace
from repflow_mm.model_names import configs_folder

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
            if not cfg_path.startswith(PREFIX):
                return upstream(cfg_path, filename)
            file = configs_folder() / cfg_path.removeprefix(PREFIX)
            if not file.is_file():
                raise FileNotFoundError(f'{filename}: there is no config {cfg_path}, which would be {file}')
            # No scope: the config's own names are those of MMAction2's registries.
            return str(file), None

        return _get_cfg_path

    replace(Config, '_get_cfg_path', make, static=True)
    return True
