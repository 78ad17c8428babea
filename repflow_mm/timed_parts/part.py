"""What is known of a part before it runs."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import NamedTuple


class Part(NamedTuple):
    """One part of a check.

    Args:
        name (str): What it is called in the report.
        title (str): Its heading.
        module (str): Its module, without ``run`` imported by the parent process too: it must be light.
        seconds (float): Its time limit where all parts together have the sum of theirs.
        must_finish (bool): Whether being cut off means that the check has failed. Defaults to False.
        needs (tuple[str, ...]): Modules without which it is left out. Defaults to none.
        interpreted (bool): Whether a rehearsal runs it in Triton's interpreter. Defaults to False.
        least (float): Seconds that are kept for it before the parts share what is left. Defaults to 0.
    """

    name: str
    title: str
    module: str
    seconds: float
    must_finish: bool = False
    needs: tuple[str, ...] = ()
    interpreted: bool = False
    least: float = 0.0

    def load(self) -> ModuleType:
        """The part's module."""
        return importlib.import_module(self.module)
