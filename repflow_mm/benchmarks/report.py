"""The benchmark's command line, its hardware record and its files."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from repflow_mm.benchmarks.compare_tvl1 import (
    SIZES,
    check_tvl1,
    measure_tvl1,
    read_pair,
    tvl1_backend,
    tvl1_table,
    warps_table,
)
from repflow_mm.benchmarks.compiled_code import code_table, measure_code
from repflow_mm.benchmarks.flow_formats import formats_table, measure_formats
from repflow_mm.benchmarks.models import SETTINGS, measure_models, model_table
from repflow_mm.benchmarks.solver import (
    Problem,
    cpu_limit,
    gpu_limits,
    measure,
    scaling_problems,
    scaling_table,
    solver_table,
    solvers,
)
from repflow_mm.benchmarks.warps import draw_batch
from repflow_mm.files import write_json
from repflow_mm.testing.parity import CASES, check_parity
from repflow_mm.version import __version__


def hardware(device: str) -> dict:
    """Processor, cores, accelerator and versions."""
    cpu = platform.processor() or platform.machine()
    info = Path('/proc/cpuinfo')
    if info.exists():
        names = [
            line.split(':', 1)[1].strip() for line in info.read_text().splitlines() if line.startswith('model name')
        ]
        cpu = names[0] if names else cpu
    record = dict(cpu=cpu, cores=os.cpu_count(), threads=torch.get_num_threads(), python=platform.python_version())
    record.update(torch=torch.__version__, repflow_mm=__version__, device=device)
    if torch.device(device).type == 'cuda':
        record.update(gpu=torch.cuda.get_device_name(device), cuda=torch.version.cuda)
    return record


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of ``tools/benchmark.py``."""
    parser = argparse.ArgumentParser(description='Check, then time the flow solver and whole networks.')
    parser.add_argument('parts', nargs='*', metavar='PART', help=f'any of {", ".join(PARTS)}; default: solver')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu', help='where to run')
    parser.add_argument('--repeats', type=int, default=5, help='measurements of each row (default: 5)')
    parser.add_argument('--size', type=int, default=28, help='map size of the solver part (default: 28)')
    parser.add_argument('--compile', action='store_true', help='add torch.compile of the reference (takes minutes)')
    parser.add_argument('--backward', action='store_true', help="time the networks' backward passes too")
    parser.add_argument('--pairs', type=int, default=10, help='image pairs of the tvl1 part (default: 10)')
    parser.add_argument(
        '--real-pair',
        nargs=3,
        type=Path,
        metavar=('FIRST', 'SECOND', 'FLOW'),
        help='two images and their .flo file, for the tvl1 part',
    )
    parser.add_argument('--videos', nargs='+', type=Path, help='video files, for the flow_formats part')
    parser.add_argument('--short-side', type=int, default=128, help="of these videos' frames (default: 128)")
    parser.add_argument('--out', default='work_dirs/benchmark.json', help='JSON file of all results')
    args = parser.parse_args(argv)
    args.parts = args.parts or ['solver']
    unknown = [part for part in args.parts if part not in PARTS]
    if unknown:
        parser.error(f'PART must be one of {", ".join(PARTS)}, got {unknown[0]}')
    if 'flow_formats' in args.parts and not args.videos:
        parser.error('the flow_formats part needs --videos FILE ...')
    for name in ('repeats', 'pairs'):
        if getattr(args, name) < 1:
            parser.error(f'--{name} must be >= 1, got {getattr(args, name)}')
    return args


def main(argv: Sequence[str] | None = None, show: Callable[[str], object] = sys.stdout.write) -> dict:
    """Run the parts of the benchmark that the command line names; shows tables, writes and returns the results."""
    args = parse_args(argv)
    results = dict(hardware=hardware(args.device), command=' '.join(['tools/benchmark.py', *(argv or sys.argv[1:])]))
    show(f'{results["hardware"]}\n')
    rows = {} if WITHOUT_SOLVERS.issuperset(args.parts) else _checked_solvers(args, show)
    for part in args.parts:
        results[part], table = PARTS[part](args, rows)
        show(f'\n{table}\n')
        write_results(Path(args.out), results)
    show(f'\nresults: {args.out}\n')
    return results


def _checked_solvers(args, show) -> dict:
    rows = solvers(args.device, args.compile)
    for name, solver in rows.items():
        if name not in ('released layer', 'reference, eager', 'reference, torch.compile'):
            for case in CASES:
                check_parity(solver, case, args.device)
            show(f'{name}: output and every gradient agree with the float64 reference\n')
    return rows


def _solver_part(args, rows) -> tuple[list[dict], str]:
    return _timed(rows, Problem(args.size, args.size), args)


def _sizes_part(args, rows) -> tuple[list[dict], str]:
    """The solver part for four map sizes, with fewer pairs on the larger ones, where the baseline fills the memory."""
    parts = [_timed(rows, Problem(size, size, pairs), args) for size, pairs in ((14, 30), (28, 30), (56, 8), (112, 2))]
    return [row for part, _ in parts for row in part], '\n\n'.join(table for _, table in parts)


def _timed(rows, problem: Problem, args) -> tuple[list[dict], str]:
    """One problem's measurements and their table, with what limits a forward pass on the device below it."""
    results = measure(rows, problem, args.device, args.repeats)
    table = f'{problem}\n\n{solver_table(results)}'
    if torch.device(args.device).type == 'cuda':
        table += f'\n\n{gpu_limits(problem, torch.cuda.get_device_properties(args.device))}'
    if 'cpu' in rows:
        limit = cpu_limit(problem, args.repeats)
        results.append(dict(name='arithmetic alone', **asdict(problem), forward=dict(min=limit)))
        table += f'\n\nlimit of the forward pass: {1e3 * limit:.2f} ms for its arithmetic alone'
    return results, table


def _scaling_part(args, rows) -> tuple[list[dict], str]:
    fast = {name: solver for name, solver in rows.items() if not name.startswith(('released', 'reference'))}
    results = [row for problem in scaling_problems() for row in measure(fast, problem, args.device, args.repeats)]
    return results, scaling_table(results)


def _models_part(args, rows) -> tuple[list[dict], str]:
    passes = (False, True) if args.backward else (False,)
    results = [
        row for setting in SETTINGS for b in passes for row in measure_models(setting, args.device, args.repeats, b)
    ]
    return results, model_table(results)


def _tvl1_part(args, rows) -> tuple[list[dict], str]:
    backend = tvl1_backend(args.device)
    check_tvl1(backend, args.device)
    synthetic = [
        row for size in SIZES for row in measure_tvl1(*draw_batch(size, args.pairs), args.repeats, backend, args.device)
    ]
    table = f'Synthetic warps:\n\n{tvl1_table(synthetic)}\n\nTheir end-point errors, px:\n\n{warps_table(synthetic)}'
    if not args.real_pair:
        return synthetic, table
    real = measure_tvl1(*read_pair(*args.real_pair), args.repeats, backend, args.device)
    return synthetic + real, f'{table}\n\n{args.real_pair[0]}:\n\n{tvl1_table(real)}'


def _flow_formats_part(args, rows) -> tuple[list[dict], str]:
    results = measure_formats(args.videos, args.short_side, args.repeats)
    return results, formats_table(results)


def _code_part(args, rows) -> tuple[list[dict], str]:
    results = measure_code()
    return results, code_table(results)


PARTS = dict(
    solver=_solver_part,
    sizes=_sizes_part,
    scaling=_scaling_part,
    models=_models_part,
    tvl1=_tvl1_part,
    flow_formats=_flow_formats_part,
    code=_code_part,
)
# They do not take the solvers that are checked first.
WITHOUT_SOLVERS = {'tvl1', 'flow_formats', 'code'}


def write_results(path: Path, results: dict) -> None:
    """Write results as JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, results)
