"""The models by name: the configs of this package, where a checkout or an installation has them."""

from __future__ import annotations

import difflib
import fnmatch
from pathlib import Path

# Of a checkout, and where MIM puts the configs of an installed package.
FOLDERS = (Path(__file__).parents[1] / 'configs', Path(__file__).parent / '.mim' / 'configs')


def list_models(pattern: str = '*') -> list[str]:
    """Names of the models: those of the configs, without their suffix.

    Args:
        pattern (str): Names to list, with ``*`` and ``?`` as in a shell. Defaults to ``'*'``, all.

    Returns:
        list[str]: Names, sorted; empty if no configs are installed.
    """
    return sorted(fnmatch.filter(_configs(), pattern))


def config_of(name: str) -> Path:
    """The config file of a model.

    Raises:
        ValueError: If no model has this name; the message has the nearest names.
    """
    configs = _configs()
    if name not in configs:
        near = (
            ', '.join(difflib.get_close_matches(name, configs, n=3)) or f'none; configs are looked for in {FOLDERS[0]}'
        )
        raise ValueError(f'no model is called {name!r}; the nearest are {near}')
    return configs[name]


def _configs() -> dict[str, Path]:
    folder = next((folder for folder in FOLDERS if folder.is_dir()), None)
    files = [] if folder is None else folder.rglob('*.py')
    return {file.stem: file for file in files if '_base_' not in file.parts}
