"""The process of one part: ``python -m repflow_mm.timed_parts.part_process MODULE --records FILE ...``."""

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


def command_line(module: str, records: Path, context: Context) -> list[str]:
    """The command that runs a part in a process of its own."""
    flags = ['--records', records, '--folder', context.folder, '--seconds', context.seconds]
    flags += ['--rehearse'] if context.rehearsal else []
    return [sys.executable, '-m', __name__, module, *map(str, flags)]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse what :func:`command_line` writes."""
    parser = argparse.ArgumentParser(description='Run one part of a check.')
    parser.add_argument('module')
    parser.add_argument('--records', type=Path, required=True)
    parser.add_argument('--folder', type=Path, required=True)
    parser.add_argument('--seconds', type=float, required=True)
    parser.add_argument('--rehearse', action='store_true')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the part that the command line names."""
    args = parse_args(argv)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    context = Context(args.folder, args.seconds, args.rehearse)
    try:
        importlib.import_module(args.module).run(emit_to(args.records), context)
    except ImportError as error:
        sys.exit(_say_missing(error))


def _say_missing(error: ImportError) -> int:
    """Leave the error as the process's last line; returns the status that means that something is not installed."""
    sys.stderr.write(f'{type(error).__name__}: {error}'.splitlines()[0] + '\n')
    return CANNOT_IMPORT


def _end_with_parent() -> None:
    """End the whole process group when the pipe from the parent closes, however the parent ended."""
    os.read(0, 1)  # not sys.stdin, which this thread would hold locked at the end
    if os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)


if __name__ == '__main__':
    main()
