"""One run of a sweep: a config with a seed, trained and tested in processes of its own."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TextIO

from mmengine.config import Config

from repflow_mm.files import write_json

PR_SET_PDEATHSIG = 1
TOOLS = Path(__file__).resolve().parents[2] / 'tools'


@dataclass(frozen=True)
class Run:
    """A config trained and tested with a seed in ``work_dir/runs/<config>/seed<seed>``.

    Args:
        config (Path): The config file.
        seed (int): Seed of the training.
        work_dir (Path): Folder of the sweep.
        options (tuple[tuple[str, object], ...]): Overrides for the config, as key and value.
    """

    config: Path
    seed: int
    work_dir: Path
    options: tuple[tuple[str, object], ...] = ()

    @property
    def folder(self) -> Path:
        """Where everything of this run is."""
        return self.work_dir / 'runs' / self.config.stem / f'seed{self.seed}'

    @cached_property
    def cfg(self) -> Config:
        """The config with the overrides."""
        cfg = Config.fromfile(self.config)
        cfg.merge_from_dict(dict(self.options))
        return cfg

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the whole config, by which a finished run is known to be of this config."""
        text = json.dumps(self.cfg.to_dict(), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def result(self) -> dict | None:
        """The result if this config's run is finished, else None."""
        result = self._recorded()
        return result if result and result['fingerprint'] == self.fingerprint else None

    def check_folder(self) -> None:
        """Raise ValueError if the folder holds a finished run of another config."""
        if self._recorded() and self.result() is None:
            raise ValueError(
                f'{self.folder} holds a finished run of another version of {self.config}: '
                'delete it to run again, or take another --work-dir'
            )

    def _recorded(self) -> dict | None:
        file = self.folder / 'result.json'
        return json.loads(file.read_text()) if file.is_file() else None

    def commands(self, gpus: int = 1) -> list[list[str]]:
        """The command lines of training and testing, on this machine."""
        options = [f'{key}={_as_option(value)}' for key, value in self.options]
        overrides = ['--cfg-options', *options] if options else []
        train = [str(self.config), '--work-dir', str(self.folder), '--seed', str(self.seed), '--resume', 'auto']
        test = [str(self.config), str(self.folder / 'last.pth'), '--work-dir', str(self.folder / 'test')]
        test += ['--dump', str(self.folder / 'scores.pkl')]
        if gpus == 1:
            return [
                [sys.executable, str(TOOLS / 'train.py'), *train, *overrides],
                [sys.executable, str(TOOLS / 'test.py'), *test, *overrides],
            ]
        return [
            ['bash', str(TOOLS / 'dist_train.sh'), train[0], str(gpus), *train[1:], *overrides],
            ['bash', str(TOOLS / 'dist_test.sh'), *test[:2], str(gpus), *test[2:], *overrides],
        ]


def _as_option(value: object) -> str:
    return str(value).replace(' ', '') if isinstance(value, (list, tuple)) else str(value)


def run_locally(run: Run, gpus: int = 1) -> str:
    """Train and test unless that is done; returns 'done', 'done before', or 'failed' and where the log is.

    A run that was stopped goes on from its last checkpoint. What the commands print goes to ``log.txt``.
    """
    if run.result() is not None:
        return 'done before'
    run.check_folder()
    run.folder.mkdir(parents=True, exist_ok=True)
    log = run.folder / 'log.txt'
    train, test = run.commands(gpus)
    start = time.monotonic()
    with log.open('a') as file:
        for command in (train, test):
            if command is test:
                _link_last_checkpoint(run.folder)
            if _call(command, file):
                return f'failed, see {log}'
    write_result(run)
    return f'done in {time.monotonic() - start:.0f} s'


def _call(command: list[str], log: TextIO) -> int:
    """Run a command, its output to ``log``; it ends when this process does, however that ends."""
    return subprocess.run(command, stdout=log, stderr=log, check=False, preexec_fn=_end_with_parent).returncode


def _end_with_parent() -> None:
    """Ask Linux for SIGTERM when the parent dies: a sweep that was killed must not leave a training at work."""
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _link_last_checkpoint(folder: Path) -> None:
    """Give the last checkpoint a name that does not depend on the number of epochs."""
    last = Path((folder / 'last_checkpoint').read_text())
    temporary = folder / 'last.tmp'
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(last.name)
    os.replace(temporary, folder / 'last.pth')


def write_result(run: Run) -> None:
    """Write ``result.json`` of a trained and tested run; a run is finished once it is there."""
    tests = sorted((run.folder / 'test').glob('*/*.json'))
    metrics = json.loads(tests[-1].read_text())
    accuracies = {key: value for key, value in metrics.items() if key.startswith('acc/')}
    result = dict(
        config=str(run.config), seed=run.seed, fingerprint=run.fingerprint, commit=current_commit(), **accuracies
    )
    write_json(run.folder / 'result.json', result)


def current_commit() -> str:
    """Abbreviated commit of the checkout, with '+' if files differ from it; 'unknown' outside of git."""
    if shutil.which('git') is None:
        return 'unknown'
    git = ['git', '-C', str(TOOLS.parent)]
    commit = subprocess.run([*git, 'rev-parse', '--short', 'HEAD'], capture_output=True, text=True, check=False)
    if commit.returncode:
        return 'unknown'
    changed = subprocess.run([*git, 'status', '--porcelain'], capture_output=True, text=True, check=False).stdout
    return commit.stdout.strip() + ('+' if changed.strip() else '')


def write_slurm_script(run: Run, folder: Path, gpus: int) -> Path:
    """Write a job script that does what :func:`run_locally` does, for ``sbatch``; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f'{run.config.stem}-seed{run.seed}.sh'
    overrides = [f'{key}={_as_option(value)}' for key, value in run.options]
    command = [sys.executable, str(TOOLS / 'ablate.py'), str(run.config), '--seeds', str(run.seed)]
    command += ['--work-dir', str(run.work_dir), '--gpus', str(gpus)]
    command += ['--cfg-options', *overrides] if overrides else []
    lines = [
        '#!/usr/bin/env bash',
        f'#SBATCH --job-name={run.config.stem}-seed{run.seed}',
        f'#SBATCH --gres=gpu:{gpus}',
        '#SBATCH --ntasks=1',
        f'#SBATCH --chdir={Path.cwd()}',
        shlex.join(command),
    ]
    path.write_text('\n'.join(lines) + '\n')
    return path
