"""The benchmark's command line: one part a call; shows its tables and writes a JSON file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from benchmarks import (
    backbones,
    compiled_code,
    cost,
    decoders,
    export,
    flow_formats,
    flow_methods,
    flow_workers,
    guards,
    models,
    solver,
    tvl1,
)
from benchmarks.parts import Part, positive
from repflow_mm.files import check_writable, write_json
from repflow_mm.hardware import hardware

PARTS: dict[str, Part] = {
    name: part
    for module in (
        solver,
        models,
        backbones,
        cost,
        tvl1,
        flow_methods,
        flow_workers,
        flow_formats,
        compiled_code,
        decoders,
        export,
        guards,
    )
    for name, part in module.PARTS.items()
}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of ``tools/benchmark.py``."""
    parser = argparse.ArgumentParser(description='Measure; see PART --help for the flags of a part.')
    parts = parser.add_subparsers(dest='part', metavar='PART', required=True)
    for name, part in PARTS.items():
        flags = parts.add_parser(name, help=part.help, description=f'Measure {part.help}.')
        part.add_arguments(flags)
        flags.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu', help='where to run')
        flags.add_argument('--repeats', type=positive, default=5, help='measurements of each row (default: 5)')
        flags.add_argument('--out', type=Path, help='JSON file; default: work_dirs/benchmarks/PART.json')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None, show: Callable[[str], object] = sys.stdout.write) -> dict:
    """Measure the part that the command line names; shows its tables, writes and returns the results."""
    args = parse_args(argv)
    out = args.out or Path('work_dirs', 'benchmarks', f'{args.part}.json')
    command = ' '.join(['tools/benchmark.py', *(sys.argv[1:] if argv is None else argv)])
    try:
        _check_device(args.device)
        check_writable(out, '--out')
        results = dict(hardware=hardware(args.device), command=command)
        show(f'{results["hardware"]}\n\n')
        results[args.part], text = PARTS[args.part].run(args)
        out.parent.mkdir(parents=True, exist_ok=True)
        write_json(out, results)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    show(f'{text}\n\nresults: {out}\n')
    return results


def _check_device(device: str) -> None:
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f'device {device!r} cannot be used: {str(error).splitlines()[0]}') from error
