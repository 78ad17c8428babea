"""The environments that are tried, each as what differs from the pinned one of ``requirements/``."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What the core of the tests needs besides the two lists of a user's environment.
TEST_PACKAGES = ('pytest', 'safetensors')
# Installed without what they ask for, as in tools/setup_env.sh.
OPENMMLAB = 'openmmlab.txt'
LOWEST_PYTHON = (3, 10)


@dataclass(frozen=True)
class Row:
    """One environment.

    Args:
        name (str): What it is called in the table and on the command line.
        replaced (Mapping[str, str]): Requirements in the place of the pinned ones, by the distribution's name there.
        python (str): Name of its interpreter, e.g. ``'python3.10'``. Defaults to the one that runs the script.
        is_pinned (bool): Whether the others keep their pins; otherwise they are the newest that fit. Defaults to True.
    """

    name: str
    replaced: Mapping[str, str] = field(default_factory=dict)
    python: str = sys.executable
    is_pinned: bool = True


def rows() -> list[Row]:
    """Every row, the ones that take the least first."""
    lowest = lowest_versions()
    older = {name: f'{name}=={lowest[name]}' for name in ('mmengine', 'mmcv-lite')}
    pythons = found_pythons()
    return [
        Row('pinned'),
        Row('onedl-mmcv', {'mmcv-lite': 'onedl-mmcv'}),
        Row('onedl-mmengine', {'mmengine': 'onedl-mmengine'}),
        Row('otxmmaction2', {'mmaction2': 'otxmmaction2'}),
        Row('lowest mmengine and mmcv-lite', older),
        Row('oldest torch', {'torch': f'torch=={lowest["torch"]}'}),
        Row('newest torch', {'torch': 'torch'}),
        Row('oldest Python', python=pythons[0], is_pinned=False),
        Row('newest Python', python=pythons[-1], is_pinned=False),
    ]


def allowed_ranges() -> dict[str, str]:
    """The range of each distribution that ``setup.py`` names with one, e.g. ``'>=2.6'`` of torch."""
    return dict(re.findall(r"'([\w-]+)(>=[\d.]+(?:,<[\d.]+)?)'", ROOT.joinpath('setup.py').read_text()))


def lowest_versions() -> dict[str, str]:
    """The lowest version of each of these distributions."""
    return {name: re.match(r'>=([\d.]+)', allowed)[1] for name, allowed in allowed_ranges().items()}


def requirements(row: Row, file: str) -> list[str]:
    """The requirements of a list in ``requirements/`` as a row has them."""
    found, allowed = [], allowed_ranges()
    for line in ROOT.joinpath('requirements', file).read_text().splitlines():
        if match := re.match(r'([\w.-]+)==', line):
            name = match[1]
            usual = line if row.is_pinned or file == OPENMMLAB else name + allowed.get(name, '')
            found.append(row.replaced.get(name, usual))
    return found


def requirements_of_tests(row: Row) -> list[str]:
    """The packages of the tests, with the pins of ``requirements/tests.txt``."""
    return [line for line in requirements(row, 'tests.txt') if re.split('[=>]', line)[0] in TEST_PACKAGES]


def found_pythons() -> list[str]:
    """Interpreters of this machine that the package supports, the oldest first; this one if there are no others."""
    versions = {sys.version_info[:2]: sys.executable}
    installed = Path(os.environ.get('PYENV_ROOT', Path.home() / '.pyenv'), 'versions')
    for minor in range(LOWEST_PYTHON[1], LOWEST_PYTHON[1] + 10):
        name = f'python3.{minor}'
        for candidate in [shutil.which(name), *sorted(installed.glob(f'3.{minor}.*/bin/{name}'))]:
            if candidate and _runs(candidate):
                versions.setdefault((3, minor), str(candidate))
    return [versions[version] for version in sorted(versions)]


def _runs(python: str | Path) -> bool:
    return subprocess.run([python, '-c', 'import venv, ensurepip'], capture_output=True).returncode == 0
