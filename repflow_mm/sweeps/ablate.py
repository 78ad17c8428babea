"""Sweeps: train and test every network of a table with several seeds, and tabulate the results."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.config import DictAction

from repflow_mm.apis.command_line import one_line_errors
from repflow_mm.files import check_writable
from repflow_mm.sweeps.costs import costs_of, read_costs, write_costs
from repflow_mm.sweeps.docs import check_sections, write_docs
from repflow_mm.sweeps.rows import Network, Row, load_references, load_tables, networks_of
from repflow_mm.sweeps.runs import Run, all_splits, run_locally, write_slurm_script
from repflow_mm.sweeps.table_pictures import TablePictures, load_pictures, write_pictures
from repflow_mm.sweeps.tables import write_table

TABLES = 'configs/tiny_kinetics/tables.yml'


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description='Train and test the networks of a table with several seeds; goes on where it was stopped.'
    )
    parser.add_argument(
        'what', nargs='+', help="names of tables; names of networks and config files, which make up the table 'configs'"
    )
    parser.add_argument('--tables', default=TABLES, help=f'YAML file of tables and networks (default: {TABLES})')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2], help='seeds (default: 0 1 2)')
    text = 'splits or folds of the data set, to average over; all of them if no numbers follow'
    parser.add_argument('--splits', type=int, nargs='*', help=text)
    parser.add_argument('--work-dir', default='work_dirs/ablate', help='where runs and tables go')
    parser.add_argument('--gpus', type=int, default=1, help='processes of each run on this machine (default: 1)')
    parser.add_argument('--jobs', type=int, default=1, help='runs at once on this machine (default: 1)')
    parser.add_argument('--slurm-dir', help='write a job script for each run to this folder instead of running it')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={}, help='overrides for every config')
    parser.add_argument('--time', action='store_true', help='measure time, parameters and operations, at the end')
    parser.add_argument('--per-clip', action='store_true', help='add intervals over clips and mean class accuracy')
    parser.add_argument('--write-docs', type=Path, help='put the tables between the markers of this Markdown file')
    parser.add_argument('--tables-only', action='store_true', help='run nothing: tables of the runs that are finished')
    parser.add_argument('--list', action='store_true', help='print the rows of the tables without running them')
    return parser


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of ``tools/ablate.py``."""
    parser = _parser()
    args = parser.parse_args(argv)
    for flag, number in (('--gpus', args.gpus), ('--jobs', args.jobs)):
        if number < 1:
            parser.error(f'{flag} must be >= 1, got {number}')
    if args.tables_only and args.slurm_dir is not None:
        parser.error('--tables-only runs nothing and --slurm-dir writes scripts that run: give one of them')
    if args.time and args.slurm_dir is not None:
        parser.error('--time measures on this machine: give it to a call without --slurm-dir, when the jobs are done')
    for flag, numbers in (('--seeds', args.seeds), ('--splits', args.splits or [])):
        if len(set(numbers)) != len(numbers):
            parser.error(f'{flag} must differ, got {numbers}')
    return args


def runs_of(tables: dict[str, list[Row]], args: argparse.Namespace) -> list[Run]:
    """Every run that the tables need, once; seeds in the outer order, so that all rows have a first result early.

    Raises:
        ValueError: If splits are asked for that a config does not have.
    """
    networks, options = networks_of(tables), tuple(args.cfg_options.items())
    splits = [None] if args.splits is None else args.splits or all_splits(networks)
    runs = [
        Run(network, seed, Path(args.work_dir), options, split)
        for seed in args.seeds
        for network in networks
        for split in splits
    ]
    for run in runs:
        if run.seed == args.seeds[0]:
            run.check_split()
    return runs


def _status(run: Run, gpus: int, jobs: int) -> str:
    """What became of the run; a run that cannot start counts as failed and does not end the sweep."""
    try:
        return run_locally(run, gpus, jobs)
    except (OSError, ValueError) as error:
        return f'failed: {error}'


def _statuses(runs: Sequence[Run], gpus: int, jobs: int, show: Callable[[str], object]) -> Iterator[tuple[Run, str]]:
    """Do the runs, some at once; yields each with what became of it, the first to end first."""
    waiting = enumerate(runs, start=1)
    with ThreadPoolExecutor(jobs) as pool:
        at_work: dict[Future, Run] = {}

        def start(number: int, run: Run) -> None:
            show(f'[{number}/{len(runs)}] {run.title}\n')
            # Here, as configs are read with environment variables, which all threads share.
            _ = run.cfg
            at_work[pool.submit(_status, run, gpus, jobs)] = run

        while True:
            for number, run in islice(waiting, jobs - len(at_work)):
                start(number, run)
            if not at_work:
                return
            done, _ = wait(at_work, return_when=FIRST_COMPLETED)
            for future in done:
                yield at_work.pop(future), future.result()


class Sweep(NamedTuple):
    """Runs, and what is made of their results.

    Args:
        args (argparse.Namespace): The flags.
        tables (dict[str, list[Row]]): The rows of the tables.
        references (dict[str, dict[str, str]]): For each table the rows that its rows are compared with.
        pictures (dict[str, TablePictures]): For each table its pictures.
        runs (list[Run]): Every run that the tables need.
    """

    args: argparse.Namespace
    tables: dict[str, list[Row]]
    references: dict[str, dict[str, str]]
    pictures: dict[str, TablePictures]
    runs: list[Run]

    def run_all(self, show: Callable[[str], object]) -> int:
        """Do the runs and bring their tables up to date after each; returns how many failed."""
        failed = 0
        for run, status in _statuses([] if self.args.tables_only else self.runs, self.args.gpus, self.args.jobs, show):
            failed += status.startswith('failed')
            show(f'  {run.title}: {status}\n')
            if status != 'done before':
                self.write_tables(run.network)
        return failed

    def write_all(self) -> None:
        """Measure costs if that is asked for, and write all tables and pictures."""
        if self.args.time:
            device = 'cuda' if torch.cuda.is_available() else 'cpu'
            configs = {run.network.name: run.cfg for run in self.runs}
            write_costs(self.args.work_dir, costs_of(configs, device=device, progress='costs'))
        self.write_tables()
        for name, rows in self.tables.items():
            write_pictures(name, rows, self.pictures[name], self.runs, Path(self.args.work_dir))

    def write_tables(self, network: Network | None = None) -> None:
        """Write the tables that a network is in, or all."""
        work_dir, costs = Path(self.args.work_dir), read_costs(self.args.work_dir)
        for name, rows in self.tables.items():
            if network is None or any(network in row.networks for row in rows):
                plot = self.pictures[name].plot
                write_table(name, rows, self.runs, work_dir, costs, self.references[name], self.args.per_clip, plot)


def main(argv: Sequence[str] | None = None, show: Callable[[str], object] | None = None) -> int:
    """Run what the command line says; ``show`` takes the lines to print, standard output's by default.

    Returns:
        int: The number of runs that failed.
    """
    args, show = parse_args(argv), show or sys.stdout.write
    with one_line_errors():
        tables = load_tables(args.what, args.tables)
        references, pictures = load_references(tables, args.tables), load_pictures(tables, args.tables)
        sweep = Sweep(args, tables, references, pictures, [] if args.list else runs_of(tables, args))
        if not args.list:
            check_writable(Path(args.slurm_dir or args.work_dir), '--slurm-dir' if args.slurm_dir else '--work-dir')
        if args.write_docs is not None:
            check_sections(list(tables), args.write_docs)
    if args.list:
        show(_listed(tables))
        return 0
    if args.slurm_dir is not None:
        for run in sweep.runs:
            show(f'{write_slurm_script(run, Path(args.slurm_dir), args.gpus)}\n')
        return 0
    failed = sweep.run_all(show)
    sweep.write_all()
    for name in tables:
        show(f'\n{Path(args.work_dir, f"{name}.md").read_text()}\n')
    if args.write_docs is not None:
        write_docs(list(tables), Path(args.work_dir), args.write_docs)
    return failed


def _listed(tables: dict[str, list[Row]]) -> str:
    """The tables with the networks of their rows, and each network with its config and overrides."""
    lines = []
    for name, rows in tables.items():
        lines += [name, *(f'  {row.name}: {" + ".join(network.name for network in row.networks)}' for row in rows)]
    lines += ['networks', *(f'  {network.name}: {network.describe()}' for network in networks_of(tables))]
    return '\n'.join(lines) + '\n'
