"""What every part of the benchmark is to the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NamedTuple


class Part(NamedTuple):
    """A subcommand of ``tools/benchmark.py``.

    ``run(args)`` measures and returns what JSON can hold and a text with Markdown tables.
    """

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], object]
    run: Callable[[argparse.Namespace], tuple[object, str]]


def positive(text: str) -> int:
    """The type of a flag that takes an integer >= 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'must be >= 1, got {value}')
    return value
