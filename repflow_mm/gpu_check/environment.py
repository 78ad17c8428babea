"""Versions, and what is missing of the packages that some parts need."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from repflow_mm.gpu_check.parts import MMACTION, VIDEOS
from repflow_mm.gpu_check.parts.sanitizer import PROGRAM, find_program
from repflow_mm.timed_parts.runner import missing_modules
from repflow_mm.version import __version__

DISTRIBUTIONS = ('torch', 'triton', 'numpy', 'mmaction2', 'mmengine', 'mmcv-lite', 'mmcv', 'av')
OPTIONAL = dict.fromkeys(MMACTION, 'networks and training') | dict.fromkeys(VIDEOS, 'training')


def versions() -> dict[str, str]:
    """Versions of this package, of Python and of the installed packages that matter."""
    found = dict(repflow_mm=__version__, Python=platform.python_version())
    for name in DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def missing_packages() -> dict[str, str]:
    """What is not installed, and which parts go without it."""
    missing = {name: OPTIONAL[name] for name in missing_modules(tuple(OPTIONAL))}
    if find_program() is None:
        missing[PROGRAM] = 'memory and race checks'
    return missing
