"""The command line of the check."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from repflow_mm.files import check_writable
from repflow_mm.gpu_check.docs import write_docs
from repflow_mm.gpu_check.parts import PARTS, TOTAL_SECONDS
from repflow_mm.gpu_check.report import finish, new_report, verdict, write_report
from repflow_mm.timed_parts.progress import updater
from repflow_mm.timed_parts.runner import new_folder, run_parts

WORKS, DOES_NOT_WORK, CANNOT_RUN = 0, 1, 2
# Folders of the parts that nobody wants to keep beside the report.
LARGE_FILES = ('triton_cache', 'motion_clips')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of ``tools/gpu_check.py``."""
    parser = argparse.ArgumentParser(prog='gpu_check', description='Check the flow solver on this GPU, and time it.')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/gpu_check'), help='folder of the report')
    minutes = TOTAL_SECONDS / 60
    parser.add_argument('--minutes', type=float, default=minutes, help=f'time for everything (default: {minutes:g})')
    names = [part.name for part in PARTS]
    parser.add_argument('--parts', nargs='+', choices=names, default=names, metavar='PART', help=', '.join(names))
    parser.add_argument('--rehearse', action='store_true', help='run the script without a GPU, on tiny shapes')
    parser.add_argument('--write-docs', type=Path, metavar='REPORT', help='only put this report.json into the docs')
    parser.add_argument('--docs', type=Path, default=Path('docs/benchmarks.md'), help='the file that it is put into')
    args = parser.parse_args(argv)
    if args.minutes <= 0:
        parser.error(f'--minutes must be > 0, got {args.minutes:g}')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Check this machine, or put a report into the docs.

    Returns:
        int: 0 if everything that was checked works, 1 if something does not, 2 if nothing could be checked.
    """
    args = parse_args(argv)
    try:
        if args.write_docs:
            write_docs(args.write_docs, args.docs)
            return WORKS
        return _check(args, ' '.join(['gpu_check', *(sys.argv[1:] if argv is None else argv)]))
    except (OSError, ValueError) as error:
        sys.stderr.write(f'error: {error}\n')
        return CANNOT_RUN


def _check(args: argparse.Namespace, command: str) -> int:
    end = time.monotonic() + 60 * args.minutes
    if not args.rehearse:
        _require_gpu()
    check_writable(args.out, '--out')
    folder = new_folder(args.out)
    parts = [part for part in PARTS if part.name in args.parts]
    report = new_report(command, args.rehearse)
    update = updater(report, partial(write_report, report, args.out))
    # An end from outside is to end the parts too, and to leave a report.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(CANNOT_RUN))
    run_parts(parts, folder, end - time.monotonic(), args.rehearse, update)
    for name in LARGE_FILES:
        shutil.rmtree(folder / name, ignore_errors=True)
    finish(report)
    write_report(report, args.out)
    works, sentence = verdict(report)
    sys.stdout.write(f'report: {args.out / "report.md"}\n{sentence}\n')
    return WORKS if works else DOES_NOT_WORK


def _require_gpu() -> None:
    import torch

    if not torch.cuda.is_available():
        raise ValueError(
            f'torch {torch.__version__} finds no CUDA device; --rehearse runs the check without one, on tiny shapes'
        )
