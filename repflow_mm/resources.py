"""Where the configs are: in a checkout, or in an installed package, which has a copy of them."""

from __future__ import annotations

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
