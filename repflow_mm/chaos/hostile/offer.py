"""What is offered to a tool."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

Write = Callable[[Path, Path], Path]
# What lies beside the folder that a tool works in, under a name as a run's best checkpoint has.
OF_OTHERS = 'best_of_others.pth'


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.mark,)


class Offer(NamedTuple):
    """A hostile file, and the tool that it is given to.

    ``make(folder, mark)`` writes the file into a folder and returns the tool's arguments; if what is in it runs, it
    makes ``mark``.
    """

    kind: str
    name: str
    tool: Callable[[list[str]], object]
    make: Callable[[Path, Path], list[str]]


def maker(write: Write, arguments: Callable[[Path], list[str]]) -> Callable[[Path, Path], list[str]]:
    """What writes a file, given the folder and the mark, and returns the arguments of the tool that it is for."""
    return lambda folder, mark: arguments(write(folder, mark))
