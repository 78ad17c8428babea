"""What the commands have in common."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

MOST_LINES = 22


@contextmanager
def one_line_errors(goes_on: bool = False) -> Iterator[None]:
    """End the program in one line instead of a traceback where what the user gave, or a file, is at fault.

    An interrupt ends it in one line too. Of the processes of a distributed run the first one alone says it.

    Args:
        goes_on (bool): Whether the command goes on where it was interrupted, which an interrupt then says. Defaults to
            False.
    """
    try:
        with one_line_interrupt(goes_on):
            yield
    except (OSError, ValueError, FloatingPointError) as error:
        sys.exit(f'error: {error}' if is_first_process() else 1)


@contextmanager
def one_line_interrupt(goes_on: bool = False) -> Iterator[None]:
    """End the program in one line, and with the status of a program that Ctrl-C ends, instead of a traceback.

    An error that an interrupt became on its way counts as one: MMEngine calls any exception while it formats a config a
    syntax error.

    Args:
        goes_on (bool): Whether the command goes on where it was interrupted, which is said then. Defaults to False.
    """
    try:
        yield
    except (KeyboardInterrupt, Exception) as error:
        if not _is_interrupt(error):
            raise
        if is_first_process():
            sys.stderr.write(f'interrupted{"; the same command goes on from here" if goes_on else ""}\n')
        sys.exit(128 + signal.SIGINT)


def is_first_process() -> bool:
    """Whether this process speaks for all of a distributed run; one alone does."""
    return os.environ.get('RANK', '0') == '0'


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether an error is an interrupt, or was raised because of one."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return error is not None


def named_values(pairs: Sequence[str], where: str, value: str) -> dict[str, str]:
    """The values of arguments ``NAME=VALUE`` by name, in their order.

    Args:
        pairs (Sequence[str]): The arguments.
        where (str): What the errors call them.
        value (str): What the errors call a value, such as ``'SCORES.pkl'``.

    Raises:
        ValueError: If an argument has another form, or a name is given twice.
    """
    named = {}
    for pair in pairs:
        name, equals, content = pair.partition('=')
        if not (name and equals and content):
            raise ValueError(f'{where} must be NAME={value}, got {pair!r}')
        if name in named:
            raise ValueError(f'{where}: {name!r} is given twice, with {named[name]} and {content}')
        named[name] = content
    return named


def show(*lines: str) -> None:
    """Print lines; of a long report the first ones, and how many more there are."""
    more = [f'... {len(lines) - MOST_LINES} more in the report'] if len(lines) > MOST_LINES else []
    sys.stdout.write('\n'.join([*lines[:MOST_LINES], *more]) + '\n')
