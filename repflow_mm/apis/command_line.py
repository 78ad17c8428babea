"""What the commands have in common."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

MOST_LINES = 22


@contextmanager
def one_line_errors(goes_on: bool = False) -> Iterator[None]:
    """End the program in one line instead of a traceback where what the user gave, or a file, is at fault.

    Of the processes of a distributed run the first one alone says it.

    Args:
        goes_on (bool): Whether the command goes on where it was interrupted, which an interrupt then says. Defaults to
            False.
    """
    try:
        yield
    except (OSError, ValueError, FloatingPointError) as error:
        sys.exit(f'error: {error}' if os.environ.get('RANK', '0') == '0' else 1)
    except KeyboardInterrupt:
        if not goes_on:
            raise
        sys.exit('interrupted; the same command goes on from here')


def show(*lines: str) -> None:
    """Print lines; of a long report the first ones, and how many more there are."""
    more = [f'... {len(lines) - MOST_LINES} more in the report'] if len(lines) > MOST_LINES else []
    sys.stdout.write('\n'.join([*lines[:MOST_LINES], *more]) + '\n')
