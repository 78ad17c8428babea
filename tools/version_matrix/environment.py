"""An environment of its own for a row: downloaded, measured, installed and asked for its versions."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path

from version_matrix.rows import OPENMMLAB, ROOT, Row, requirements, requirements_of_tests

GIGABYTE = 1e9
# The packages that many rows share, and MMAction2, MMEngine and MMCV of one row, which a .pth file adds to them.
ENVIRONMENT, STACK = 'environment', 'stack'
# What the table tells of an environment: a column, and the distributions that it may come from.
COLUMNS = {
    'torch': ('torch',),
    'mmaction': ('mmaction2', 'otxmmaction2'),
    'mmengine': ('mmengine', 'onedl-mmengine'),
    'mmcv': ('mmcv-lite', 'onedl-mmcv'),
    'numpy': ('numpy',),
    'av': ('av',),
}
_VERSIONS = """
import json, platform
from importlib import metadata
found = {d.metadata['Name'].lower().replace('_', '-'): d.version for d in metadata.distributions()}
print(json.dumps({'python': platform.python_version(), **found}))
"""


class NotInstalled(Exception):
    """An environment that there is none of; the message says why."""


def make_environment(row: Row, folder: Path, most_gb: float) -> Path:
    """Make a row's environment; what is the same as in the row before is not installed again.

    Args:
        row (Row): The row.
        folder (Path): Where it is made, in folders of its own.
        most_gb (float): How many gigabytes its packages may take when they are unpacked.

    Returns:
        Path: Its interpreter.

    Raises:
        NotInstalled: If a package cannot be had, or they take more.
    """
    environment, stack = folder / ENVIRONMENT, folder / STACK
    python = environment / 'bin' / 'python'
    listed = [*requirements(row, 'runtime.txt'), *requirements_of_tests(row)]
    stamp, wanted = environment / 'installed.json', json.dumps([row.python, *listed])
    if not stamp.is_file() or stamp.read_text() != wanted:
        shutil.rmtree(environment, ignore_errors=True)
        _run([row.python, '-m', 'venv', environment])
        _install(_pip(python), listed, folder / 'wheels', most_gb)
        stamp.write_text(wanted)
    shutil.rmtree(stack, ignore_errors=True)
    _run([*_pip(python), 'install', '--no-compile', '--no-deps', '--target', stack, *requirements(row, OPENMMLAB)])
    for packages in environment.glob('lib/python3*/site-packages'):
        (packages / 'stack.pth').write_text(f'{stack}\n')
    return python


def remove_environment(folder: Path) -> None:
    """Remove what :func:`make_environment` has made."""
    for name in (ENVIRONMENT, STACK):
        shutil.rmtree(folder / name, ignore_errors=True)


def _pip(python: Path) -> list[object]:
    return [python, '-m', 'pip', '--disable-pip-version-check', '-q']


def _install(pip: list[object], listed: list[str], wheels: Path, most_gb: float) -> None:
    """Download packages, measure them, and install them if they are not too large."""
    shutil.rmtree(wheels, ignore_errors=True)
    try:
        _run([*pip, 'install', '-U', 'pip', 'setuptools<81', 'wheel'])
        # torch first: of a build that is too large nothing else is fetched.
        for some in ([name for name in listed if name.startswith('torch')], listed):
            _run([*pip, 'wheel', '--no-build-isolation', '-w', wheels, *some])
            _check_size(wheels, most_gb)
        _run([*pip, 'install', '--no-compile', '--no-index', '--find-links', wheels, *listed])
    finally:
        shutil.rmtree(wheels, ignore_errors=True)


def unpacked_gb(wheels: Path) -> float:
    """Gigabytes that a folder's wheels take when they are unpacked."""
    total = 0
    for path in wheels.glob('*.whl'):
        with zipfile.ZipFile(path) as archive:
            total += sum(part.file_size for part in archive.infolist())
    return total / GIGABYTE


def versions_of(python: Path) -> dict[str, str]:
    """Versions of what the table has a column for, a fork's with its name."""
    found = json.loads(_run([python, '-c', _VERSIONS]))
    versions = {'python': found['python']}
    for column, names in COLUMNS.items():
        name = next((name for name in names if name in found), None)
        versions[column] = 'none' if name is None else found[name] if name == names[0] else f'{name} {found[name]}'
    return versions


def process_environment() -> dict[str, str]:
    """The variables of the processes of a row: this checkout, no user's packages, one thread."""
    own = dict(PYTHONPATH=str(ROOT), PYTHONNOUSERSITE='1', OMP_NUM_THREADS='1', MPLBACKEND='Agg')
    return {**os.environ, **own}


def _check_size(wheels: Path, most_gb: float) -> None:
    size = unpacked_gb(wheels)
    if size > most_gb:
        torch = next((path.name.split('-')[1] for path in wheels.glob('torch-*.whl')), 'unknown')
        raise NotInstalled(f'not run: with torch {torch} it takes {size:.1f} GB, more than the {most_gb:g} GB allowed')


def _run(command: Sequence[object]) -> str:
    done = subprocess.run([str(part) for part in command], env=process_environment(), capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith('ERROR')] or done.stderr.splitlines()
        raise NotInstalled(f'cannot be installed: {lines[0] if lines else f"exit code {done.returncode}"}')
    return done.stdout
