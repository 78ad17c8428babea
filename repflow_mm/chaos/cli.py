"""The chaos's command line."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import repflow_mm
from repflow_mm.apis.command_line import one_line_errors
from repflow_mm.chaos.parts import PARTS, write_settings
from repflow_mm.chaos.report import is_as_wanted, table, write_docs, write_report
from repflow_mm.files import check_writable
from repflow_mm.timed_parts.progress import updater
from repflow_mm.timed_parts.runner import new_folder, run_parts


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of ``tools/chaos.py``."""
    names = [part.name for part in PARTS]
    parser = argparse.ArgumentParser(
        description='Kill trainings, break videos, draw random arguments, offer hostile files and let processes fail; '
        'show what became of them. The exit status is 0 if all went as wanted.'
    )
    parser.add_argument('--minutes', type=float, default=20, help='time for all parts together; default: 20')
    parser.add_argument('--seed', type=int, default=0, help='seed of everything that is random; default: 0')
    parser.add_argument('--most', type=int, help='how much each part tries at most; default: all that is to be shown')
    parser.add_argument('--parts', nargs='+', choices=names, default=names, help='the parts to run; default: all')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/chaos'), help='folder of the report')
    parser.add_argument('--write-docs', type=Path, metavar='FILE', help='Markdown file to put the table into')
    args = parser.parse_args(argv)
    if not args.minutes > 0:
        parser.error(f'--minutes must be > 0, got {args.minutes}')
    if args.seed < 0:
        parser.error(f'--seed must be >= 0, got {args.seed}')
    if args.most is not None and args.most < 1:
        parser.error(f'--most must be >= 1, got {args.most}')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the parts and show the table; returns 0 if all went as wanted, else 1."""
    args = parse_args(argv)
    with one_line_errors():
        check_writable(args.out, '--out')
        if args.write_docs and not args.write_docs.is_file():
            raise FileNotFoundError(f'{args.write_docs} does not exist')
        report = _run(args, ' '.join(['tools/chaos.py', *(sys.argv[1:] if argv is None else argv)]))
        if args.write_docs:
            write_docs(report, args.write_docs)
    sys.stdout.write(f'{table(report["parts"])}\n\nreport: {args.out / "report.md"}\n')
    return 0 if is_as_wanted(report['parts']) else 1


def _run(args: argparse.Namespace, command: str) -> dict:
    import torch

    folder = new_folder(args.out).resolve()
    write_settings(folder, args.seed, args.most)
    versions = dict(repflow_mm=repflow_mm.__version__, torch=torch.__version__)
    report = dict(command=command, started=time.strftime('%Y-%m-%d'), seed=args.seed, versions=versions, parts=[])
    update = updater(report, partial(write_report, report, args.out))
    parts = [part for part in PARTS if part.name in args.parts]
    run_parts(parts, folder, 60 * args.minutes, not torch.cuda.is_available(), update)
    return report
