"""Which code a result comes from."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from repflow_mm.version import __version__

ROOT = Path(__file__).resolve().parents[2]


def code_version() -> str:
    """The commit of the checkout that the package is in, with '+' if files differ from it, else the package's version.

    Returns:
        str: ``'commit <abbreviated hash>[+]'`` or ``'version <version>'``.
    """
    # An installed package may lie within another project's checkout.
    if shutil.which('git') is None or _git('rev-parse', '--show-toplevel') != str(ROOT):
        return f'version {__version__}'
    return f'commit {_git("rev-parse", "--short", "HEAD")}{"+" if _git("status", "--porcelain") else ""}'


def _git(*arguments: str) -> str:
    """What git says in the package's folder; nothing if it fails."""
    done = subprocess.run(['git', '-C', str(ROOT), *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip()
