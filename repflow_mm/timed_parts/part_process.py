"""The process of one part: ``python -m repflow_mm.timed_parts.part_process MODULE --records FILE ...``.

It imports the part, and waits on its standard input for the seconds that the part may take.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from repflow_mm.timed_parts.context import Context, emit_to

CANNOT_IMPORT = 77


def command_line(module: str, records: Path, folder: Path, rehearsal: bool) -> list[str]:
    """The command that runs a part in a process of its own."""
    flags = ['--records', records, '--folder', folder, *(['--rehearse'] if rehearsal else [])]
    return [sys.executable, '-m', __name__, module, *map(str, flags)]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse what :func:`command_line` writes."""
    parser = argparse.ArgumentParser(description='Run one part of a check.')
    parser.add_argument('module')
    parser.add_argument('--records', type=Path, required=True)
    parser.add_argument('--folder', type=Path, required=True)
    parser.add_argument('--rehearse', action='store_true')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the part that the command line names, when its turn has come."""
    args = parse_args(argv)
    try:
        module = importlib.import_module(args.module)
        seconds = os.read(0, 64)  # not sys.stdin, which the thread below would hold locked at the end
        if not seconds:  # the parent has ended, or needs this part no more
            return
        threading.Thread(target=_end_with_parent, daemon=True).start()
        module.run(emit_to(args.records), Context(args.folder, float(seconds), args.rehearse))
    except ImportError as error:
        sys.exit(_say_missing(error))


def _say_missing(error: ImportError) -> int:
    """Leave the error as the process's last line; returns the status that means that something is not installed."""
    sys.stderr.write(f'{type(error).__name__}: {error}'.splitlines()[0] + '\n')
    return CANNOT_IMPORT


def _end_with_parent() -> None:
    """End the whole process group when the pipe from the parent closes, however the parent ended."""
    os.read(0, 1)
    if os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)


if __name__ == '__main__':
    main()
