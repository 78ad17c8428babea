"""One run of a sweep: a network with a seed, trained and tested in processes of its own."""

from __future__ import annotations

import ctypes
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TextIO

from mmengine.config import Config
from mmengine.runner import CheckpointLoader

from repflow_mm.apis.checkpoint import checkpoint_of
from repflow_mm.apis.options import TRAINING_LOCK
from repflow_mm.files import locked, write_json
from repflow_mm.sweeps.code_version import code_version
from repflow_mm.sweeps.fingerprint import fingerprint_of
from repflow_mm.sweeps.rows import Network

PR_SET_PDEATHSIG = 1


class Splits(NamedTuple):
    """The splits, or folds, of a data set: what a config calls ``splits``.

    Args:
        variable (str): The environment variable from which the config reads the number of a split.
        count (int): How many there are; they count from 1.
    """

    variable: str
    count: int


@dataclass(frozen=True)
class Run:
    """A network trained and tested with a seed in ``work_dir/runs/<network>/[split<split>/]seed<seed>``.

    Args:
        network (Network): The config and the network's overrides of it.
        seed (int): Seed of the training.
        work_dir (Path): Folder of the sweep.
        options (tuple[tuple[str, object], ...]): The sweep's overrides, as key and value, over those of the network.
        split (int, optional): Split of the data set, for configs that say which ``splits`` there are. Defaults to
            None.
    """

    network: Network
    seed: int
    work_dir: Path
    options: tuple[tuple[str, object], ...] = ()
    split: int | None = None

    @property
    def title(self) -> str:
        """The network, the split if there is one, and the seed."""
        split = [] if self.split is None else [f'split {self.split}']
        return ', '.join([self.network.name, *split, f'seed {self.seed}'])

    @property
    def folder(self) -> Path:
        """Where everything of this run is."""
        split = [] if self.split is None else [f'split{self.split}']
        return Path(self.work_dir, 'runs', self.network.name, *split, f'seed{self.seed}')

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the config of this run needs."""
        return {} if self.split is None else {self.splits.variable: str(self.split)}

    @property
    def overrides(self) -> dict[str, object]:
        """What replaces settings of the config file."""
        return dict((*self.network.overrides, *self.options))

    @cached_property
    def splits(self) -> Splits | None:
        """The splits that the config says there are."""
        return _splits(self.cfg if self.split is None else Config.fromfile(self.network.config))

    @cached_property
    def cfg(self) -> Config:
        """The config of the split, with the overrides."""
        with _variables(self.environment):
            cfg = Config.fromfile(self.network.config)
        cfg.merge_from_dict(self.overrides)
        return cfg

    @cached_property
    def fingerprint(self) -> str:
        """By which a finished run is known to be of this config."""
        return fingerprint_of(self.cfg)

    def check_split(self) -> None:
        """Raise ValueError unless the run has a split just where its config reads one from the environment."""
        config, splits = self.network.config, self.splits
        if self.split is not None and splits is None:
            raise ValueError(f"{config} has no splits: it does not say splits=dict(variable='NAME', count=3)")
        if self.split is not None and not 1 <= self.split <= splits.count:
            raise ValueError(f'{config} has the splits 1 to {splits.count}, got {self.split}')
        if self.split is None and splits is not None and splits.variable in os.environ:
            raise ValueError(f'{config} reads {splits.variable}, which is set: say --splits instead')

    def result(self) -> dict | None:
        """The result if this config's run is finished, else None."""
        result = self._recorded()
        return result if result and result['fingerprint'] == self.fingerprint else None

    def check_folder(self) -> None:
        """Raise ValueError if the folder holds a finished run of another config."""
        if self._recorded() and self.result() is None:
            raise ValueError(
                f'{self.folder} holds a finished run of another version of {self.network.name}: '
                'delete it to run again, or take another --work-dir'
            )

    def _recorded(self) -> dict | None:
        file = self.folder / 'result.json'
        return json.loads(file.read_text()) if file.is_file() else None

    def commands(self, gpus: int = 1) -> list[list[str]]:
        """The command lines of training and testing, on this machine."""
        config, folder = str(self.network.config), self.folder
        train = ['train', config, '--work-dir', str(folder), '--seed', str(self.seed), '--resume', 'auto']
        test = ['test', config, str(folder / 'last.pth'), '--work-dir', str(folder / 'test')]
        test += ['--dump', str(folder / 'scores.pkl')]
        start, end = [sys.executable, '-m'], as_options(self.overrides)
        if gpus > 1:
            # Standalone: a port of its own, so that several sweeps can share a machine.
            start += ['torch.distributed.run', '--standalone', '--nproc-per-node', str(gpus), '-m']
            end = ['--launcher', 'pytorch', *end]
        return [[*start, 'repflow_mm', *train, *end], [*start, 'repflow_mm', *test, *end]]


def _splits(cfg: Config) -> Splits | None:
    splits = cfg.get('splits')
    return None if splits is None else Splits(**splits)


def all_splits(networks: Sequence[Network]) -> list[int]:
    """The numbers of the splits that the configs of all networks have.

    Raises:
        ValueError: If a config has none, or they have different numbers of splits.
    """
    counts = {}
    for config in dict.fromkeys(network.config for network in networks):
        splits = _splits(Config.fromfile(config))
        counts.setdefault(0 if splits is None else splits.count, config)
    if len(counts) != 1 or 0 in counts:
        found = ', '.join(f'{config} has {count}' for count, config in counts.items())
        raise ValueError(f'--splits without numbers needs configs of the same splits: {found}')
    return list(range(1, next(iter(counts)) + 1))


@contextmanager
def _variables(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def as_options(overrides: dict[str, object]) -> list[str]:
    """The flag ``--cfg-options`` with overrides as MMEngine reads them from a command line; empty without any."""
    options = []
    for key, value in overrides.items():
        text = str(value).replace(' ', '') if isinstance(value, (list, tuple)) else str(value)
        options.append(f'{key}={text}')
    return ['--cfg-options', *options] if options else []


def run_locally(run: Run, gpus: int = 1, jobs: int = 1) -> str:
    """Train and test unless that is done; returns 'done', 'done before', or 'failed' and where the log is.

    A run that was stopped goes on from its last checkpoint. What the commands print goes to ``log.txt``.

    Args:
        run (Run): The run.
        gpus (int): Processes of the run. Defaults to 1.
        jobs (int): Runs that share this machine's cores, of which each takes its part unless ``OMP_NUM_THREADS`` says
            how many. Defaults to 1.

    Raises:
        OSError: If another process has the run at work.
        ValueError: If the folder holds a finished run of another config.
    """
    if run.result() is not None:
        return 'done before'
    run.check_folder()
    run.folder.mkdir(parents=True, exist_ok=True)
    with locked(run.folder, '.sweep.lock'):
        # The training of a sweep that was killed may be about to end.
        with locked(run.folder, TRAINING_LOCK, patience=60):
            pass
        return _train_and_test(run, gpus, jobs)


def _train_and_test(run: Run, gpus: int, jobs: int) -> str:
    """The commands of a run one after the other; returns the same as :func:`run_locally`."""
    log = run.folder / 'log.txt'
    train, test = run.commands(gpus)
    start = time.monotonic()
    with log.open('a') as file:
        for command in (train, test):
            if command is test:
                _link_last_checkpoint(run.folder)
            if _call(command, file, {**_threads(jobs), **run.environment}):
                return f'failed, see {log}'
    write_result(run)
    return f'done in {time.monotonic() - start:.0f} s'


def _threads(jobs: int) -> dict[str, str]:
    """The variable that gives each of several runs at once its part of the cores."""
    if jobs == 1 or 'OMP_NUM_THREADS' in os.environ:
        return {}
    return {'OMP_NUM_THREADS': str(max(len(os.sched_getaffinity(0)) // jobs, 1))}


def _call(command: list[str], log: TextIO, variables: dict[str, str]) -> int:
    """Run a command, its output to ``log``; it ends when this process does, however that ends."""
    env = {**os.environ, **variables}
    with subprocess.Popen(command, stdout=log, stderr=log, env=env, preexec_fn=_end_with_parent) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            # A training that has had the same Ctrl-C is saving its state.
            process.wait()
            raise


def _end_with_parent() -> None:
    """Ask Linux for SIGTERM when the parent dies: a sweep that was killed must not leave a training at work."""
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _link_last_checkpoint(folder: Path) -> None:
    """Give the last checkpoint a name that does not depend on the number of epochs."""
    last = Path(checkpoint_of(str(folder)))
    temporary = folder / 'last.tmp'
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(last.name)
    os.replace(temporary, folder / 'last.pth')


def write_result(run: Run) -> None:
    """Write ``result.json`` of a trained and tested run; a run is finished once it is there."""
    tests = sorted((run.folder / 'test').glob('*/*.json'))
    metrics = json.loads(tests[-1].read_text())
    # Beside the accuracies the number of broken samples that they count as wrong.
    kept = {key: value for key, value in metrics.items() if key.startswith(('acc/', 'bad_data/'))}
    result = dict(
        network=run.network.describe(),
        split=run.split,
        seed=run.seed,
        fingerprint=run.fingerprint,
        code=code_version(),
        device=_device_of(run.folder / 'last.pth'),
        **kept,
    )
    write_json(run.folder / 'result.json', result)


def _device_of(checkpoint: Path) -> str | None:
    """What the training that wrote a checkpoint ran on; None from another hook than the project's."""
    return CheckpointLoader.load_checkpoint(str(checkpoint), map_location='cpu')['meta'].get('device')


def write_slurm_script(run: Run, folder: Path, gpus: int) -> Path:
    """Write a job script that does what :func:`run_locally` does, for ``sbatch``; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    name = run.title.replace(', ', '-').replace(' ', '')
    network = run.network
    what = [str(network.config)] if network.tables is None else [network.name, '--tables', str(network.tables)]
    command = [sys.executable, '-m', 'repflow_mm', 'ablate', *what, '--seeds', str(run.seed)]
    command += [] if run.split is None else ['--splits', str(run.split)]
    command += ['--work-dir', str(run.work_dir), '--gpus', str(gpus), *as_options(dict(run.options))]
    lines = [
        '#!/usr/bin/env bash',
        f'#SBATCH --job-name={name}',
        f'#SBATCH --gres=gpu:{gpus}',
        '#SBATCH --ntasks=1',
        f'#SBATCH --chdir={Path.cwd()}',
        shlex.join(command),
    ]
    path = folder / f'{name}.sh'
    path.write_text('\n'.join(lines) + '\n')
    return path
