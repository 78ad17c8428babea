"""What a part is told, and how it reports."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Emit = Callable[..., None]


@dataclass(frozen=True)
class Context:
    """What a part is told.

    Args:
        folder (Path): Where it may leave files.
        seconds (float): Its time limit, counted from the making of this object.
        rehearsal (bool): Whether there is no GPU and everything is to be tiny. Defaults to False.
    """

    folder: Path
    seconds: float
    rehearsal: bool = False
    started: float = field(default_factory=time.monotonic)

    @property
    def device(self) -> str:
        """Where tensors lie."""
        return 'cpu' if self.rehearsal else 'cuda'

    @property
    def backend(self) -> str:
        """The solver's backend; a rehearsal has none for GPUs, so the CPU's stands in."""
        return 'cpu' if self.rehearsal else 'triton'

    def seconds_left(self) -> float:
        """Seconds until the limit."""
        return self.started + self.seconds - time.monotonic()


def emit_to(path: Path) -> Emit:
    """A function that appends a record, given by its arguments, to a file of JSON lines."""

    def emit(**record: Any) -> None:
        with open(path, 'a', encoding='utf-8') as file:
            file.write(json.dumps(record) + '\n')

    return emit


def emit_outcome(emit: Emit, measure: Callable[[], dict], **shape: Any) -> None:
    """Emit what ``measure`` returns beside ``shape``, or, if it raises, why: one failure is not to end the part.

    An error is a check that failed (``ok`` is False), unless it is one of memory.
    """
    try:
        record = measure()
    except Exception as error:  # Triton's errors have no base class of their own that all versions share
        record = dict(why=f'{type(error).__name__}: {error}'.splitlines()[0])
        if 'OutOfMemory' not in type(error).__name__:
            record['ok'] = False
    emit(**shape, **record)


def read_records(path: Path) -> list[dict]:
    """The records of a file of JSON lines, but a last one that is not complete; none if there is no file."""
    if not path.exists():
        return []
    *lines, _ = path.read_text(encoding='utf-8').split('\n')
    return [json.loads(line) for line in lines]
