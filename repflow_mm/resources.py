"""Where the configs are: in a checkout, or in an installed package, which has a copy of them."""

from __future__ import annotations

import difflib
import fnmatch
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def configs_folder() -> Path:
    """The folder of the configs: that of the installed package, or of the checkout that the package is in.

    Raises:
        FileNotFoundError: If there is neither.
    """
    for folder in (PACKAGE / '.mim' / 'configs', PACKAGE.parent / 'configs'):
        if (folder / '_base_' / 'default_runtime.py').is_file():
            return folder
    raise FileNotFoundError(f'{PACKAGE} has no configs: install the package again, or take a checkout of the project')


def named_configs() -> dict[str, Path]:
    """Every config that can be run, by its name: that of its file without ``.py``."""
    folder = configs_folder()
    files = sorted(file for file in folder.rglob('*.py') if '_base_' not in file.relative_to(folder).parts)
    return {file.stem: file for file in files}


def list_models(pattern: str = '*') -> list[str]:
    """Names of the models: those of the configs; ``repflow_mm.list_models``.

    Args:
        pattern (str): Names to list, with ``*`` and ``?`` as in a shell. Defaults to ``'*'``, all.

    Returns:
        list[str]: Names, sorted.
    """
    return sorted(fnmatch.filter(named_configs(), pattern))


def config_of(name: str) -> Path:
    """The config file of a model.

    Raises:
        ValueError: If no model has this name; the message has the nearest names.
    """
    configs = named_configs()
    if name not in configs:
        near = ', '.join(difflib.get_close_matches(name, configs, n=3)) or 'none'
        raise ValueError(f'no model is called {name!r}; the nearest are {near}')
    return configs[name]
