"""Sweeps: train and test every config of a table with several seeds, and tabulate the results."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import yaml
from mmengine.config import DictAction

from repflow_mm.files import write_json
from repflow_mm.sweeps.run_times import seconds_a_video
from repflow_mm.sweeps.runs import Run, run_locally, write_slurm_script
from repflow_mm.sweeps.tables import Row, write_table

TABLES = 'configs/tiny_kinetics/tables.yml'
TIMES = 'seconds_a_video.json'


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of ``tools/ablate.py``."""
    parser = argparse.ArgumentParser(
        description='Train and test the configs of a table with several seeds; goes on where it was stopped.'
    )
    parser.add_argument('what', nargs='+', help="names of tables, or config files, which make up the table 'configs'")
    parser.add_argument('--tables', default=TABLES, help=f'YAML file of the tables (default: {TABLES})')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2], help='seeds (default: 0 1 2)')
    parser.add_argument('--work-dir', default='work_dirs/ablate', help='where runs and tables go')
    parser.add_argument('--gpus', type=int, default=1, help='processes of each run on this machine (default: 1)')
    parser.add_argument('--slurm-dir', help='write a job script for each run to this folder instead of running it')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={}, help='overrides for every config')
    parser.add_argument('--time', action='store_true', help='measure what each config takes for a video, at the end')
    parser.add_argument('--list', action='store_true', help='print the configs of the tables without running them')
    args = parser.parse_args(argv)
    if args.gpus < 1:
        parser.error(f'--gpus must be >= 1, got {args.gpus}')
    if args.time and args.slurm_dir is not None:
        parser.error('--time measures on this machine: give it to a call without --slurm-dir, when the jobs are done')
    if len(set(args.seeds)) != len(args.seeds):
        parser.error(f'--seeds must differ, got {args.seeds}')
    return args


def load_tables(what: Sequence[str], tables_file: str) -> dict[str, list[Row]]:
    """The rows of the tables that are named, and of a table 'configs' of the config files that are.

    Raises:
        FileNotFoundError: If the file of tables or a config does not exist.
        ValueError: If a name is no table.
    """
    tables = {}
    configs = [name for name in what if name.endswith('.py')]
    names = [name for name in what if name not in configs]
    if names:
        known = _read_tables(Path(tables_file))
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ValueError(f'{tables_file} has no table {unknown[0]!r}; it has {", ".join(known)}')
        tables.update((name, known[name]) for name in names)
    if configs:
        tables['configs'] = [Row(Path(config).stem, (Path(config),)) for config in configs]
    for rows in tables.values():
        for config in (config for row in rows for config in row.configs):
            if not config.is_file():
                raise FileNotFoundError(f'config {config} does not exist')
    return tables


def _read_tables(file: Path) -> dict[str, list[Row]]:
    """Tables of a YAML file: each row is its name and one config, or several whose scores are averaged."""
    if not file.is_file():
        raise FileNotFoundError(f'file of tables {file} does not exist')
    tables = yaml.safe_load(file.read_text()) or {}
    return {
        name: [Row(row, tuple(file.parent / config for config in _listed(configs))) for row, configs in rows]
        for name, rows in tables.items()
    }


def _listed(configs: str | list[str]) -> list[str]:
    return [configs] if isinstance(configs, str) else configs


def runs_of(tables: dict[str, list[Row]], seeds: Sequence[int], work_dir: str, options: dict) -> list[Run]:
    """Every run that the tables need, once; seeds in the outer order, so that all rows have a first result early."""
    configs = dict.fromkeys(config for rows in tables.values() for row in rows for config in row.configs)
    return [Run(config, seed, Path(work_dir), tuple(options.items())) for seed in seeds for config in configs]


def _status(run: Run, gpus: int) -> str:
    """What became of the run; a run that cannot start counts as failed and does not end the sweep."""
    try:
        return run_locally(run, gpus)
    except (OSError, ValueError) as error:
        return f'failed: {error}'


def main(argv: Sequence[str] | None = None, show: Callable[[str], object] = sys.stdout.write) -> int:
    """Run what the command line says; returns the number of runs that failed."""
    args = parse_args(argv)
    try:
        tables = load_tables(args.what, args.tables)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'error: {error}')
    if args.list:
        for name, rows in tables.items():
            show(f'{name}\n' + ''.join(f'  {row.name}: {" + ".join(map(str, row.configs))}\n' for row in rows))
        return 0
    runs = runs_of(tables, args.seeds, args.work_dir, args.cfg_options)
    if args.slurm_dir is not None:
        for run in runs:
            show(f'{write_slurm_script(run, Path(args.slurm_dir), args.gpus)}\n')
        return 0
    failed = _run_all(args, tables, runs, show)
    for name in tables:
        show(f'\n{Path(args.work_dir, f"{name}.md").read_text()}\n')
    return failed


def _run_all(args: argparse.Namespace, tables: dict[str, list[Row]], runs: list[Run], show: Callable) -> int:
    """Do the runs one after the other and bring the tables up to date after each; returns how many failed."""
    failed = 0
    for number, run in enumerate(runs, start=1):
        show(f'[{number}/{len(runs)}] {run.config.stem}, seed {run.seed}\n')
        status = _status(run, args.gpus)
        failed += status.startswith('failed')
        show(f'  {status}\n')
        if status != 'done before':
            _write_tables(args, tables, runs)
    if args.time:
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
        seconds = seconds_a_video({run.config: run.cfg for run in runs}, device=device, progress='run times')
        known = _read_times(args.work_dir) | {str(config): time for config, time in seconds.items()}
        write_json(Path(args.work_dir, TIMES), known)
    _write_tables(args, tables, runs)
    return failed


def _read_times(work_dir: str) -> dict[str, float]:
    """What an earlier call with ``--time`` has measured: seconds a video by config file."""
    file = Path(work_dir, TIMES)
    return json.loads(file.read_text()) if file.is_file() else {}


def _write_tables(args: argparse.Namespace, tables: dict[str, list[Row]], runs: list[Run]) -> None:
    times = _read_times(args.work_dir)
    for name, rows in tables.items():
        configs = [config for row in rows for config in row.configs]
        timed = all(str(config) in times for config in configs)
        seconds = {config: times[str(config)] for config in configs} if timed else None
        write_table(name, rows, args.seeds, runs, Path(args.work_dir), seconds)
