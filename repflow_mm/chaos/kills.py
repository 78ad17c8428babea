"""Trainings that are killed, and go on: their weights and best checkpoints are those of one that was not."""

from __future__ import annotations

import contextlib
import functools
import importlib
import itertools
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

import repflow_mm.registration  # noqa: F401
from repflow_mm.apis import train
from repflow_mm.chaos.parts import emit_untried, run_in_child, seed_of, tries_of
from repflow_mm.compat.checkpoints import load_from_local
from repflow_mm.datasets.motion_clips.clips import MotionClipOptions
from repflow_mm.datasets.motion_clips.files import make_motion_clips
from repflow_mm.gpu_check.context import Context, Emit

WANTED = 50
# A child that takes longer hangs.
MOST_SECONDS = 300
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
# Each of them at a change on disk, and at a random moment.
KINDS_OF_KILLS = 2 * len(SIGNALS)
CONFIG = """
_base_ = 'repflow_mm::demo/repflow_r18_motion_clips.py'
model = dict(
    backbone=dict(num_stages=1, strides=(1,), dilations=(1,), out_indices=(0,), flow=dict(channels=4, num_iters=2)),
    cls_head=dict(in_channels=64),
)
train_dataloader = dict(batch_size=4)
train_cfg = dict(max_epochs=2)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=2, by_epoch=True, convert_to_iter_based=True)]
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(max_keep_ckpts=1))
log_processor = dict(window_size=1)
"""


def run(emit: Emit, context: Context) -> None:
    """Kill as many trainings as are wanted, or as there is time for."""
    torch.set_num_threads(1)
    rng, folder = random.Random(seed_of(context)), context.folder / 'kills'
    config = prepare(folder)
    preload(config, folder / 'first')
    moments, seconds, expected = undisturbed_run(config, folder / 'undisturbed')
    kills = list(itertools.islice(_kinds_of_kills(rng), tries_of(context, WANTED)))
    for number, (kind, at_a_change) in enumerate(kills):
        if context.seconds_left() < 4 * seconds + 5:
            emit_untried(emit, [_named_kill(*left) for left in kills[number:KINDS_OF_KILLS]])
            return
        moment = rng.randint(1, moments) if at_a_change else rng.uniform(0, seconds)
        where = f'at change {moment} of {moments}' if at_a_change else f'after {moment:.2f} s'
        why = _killed_run(config, folder / f'run{number}', kind, moment, at_a_change, expected)
        emit(kind=_named_kill(kind, at_a_change), count=1, ok=not why, why=why and f'{where}: {why}')


def _kinds_of_kills(rng: random.Random) -> Iterator[tuple[signal.Signals, bool]]:
    """Signals, and whether they come at a change on disk: each pair once, then all of them again."""
    kinds = list(itertools.product(SIGNALS, (True, False)))
    while True:
        yield from rng.sample(kinds, KINDS_OF_KILLS)


def _named_kill(kind: signal.Signals, at_a_change: bool) -> str:
    return f'{kind.name}, {"at a change on disk" if at_a_change else "at a random moment"}'


def prepare(folder: Path) -> Path:
    """Make clips and a config in a folder; returns the config."""
    make_motion_clips(folder / 'clips', MotionClipOptions(train=16, val=8, size=32, length=12), jobs=1)
    os.environ['MOTION_CLIPS'] = str(folder / 'clips')
    config = folder / 'tiny.py'
    config.write_text(CONFIG, encoding='utf-8')
    return config


def preload(config: Path, work_dir: Path) -> None:
    """Train once, and import what that imports on its way, so that each of the children that follow need not.

    Raises:
        RuntimeError: If the training fails.
    """
    names = work_dir.with_suffix('.modules')

    def note() -> None:
        _train(config, work_dir)
        names.write_text('\n'.join(sys.modules), encoding='utf-8')

    if run_in_child(note, work_dir.with_suffix('.log'), MOST_SECONDS):
        raise RuntimeError(f'the training failed, see {work_dir.with_suffix(".log")}')
    for name in names.read_text(encoding='utf-8').split():
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def undisturbed_run(config: Path, work_dir: Path) -> tuple[int, float, dict]:
    """Train without a disturbance; returns the number of changes on disk, the seconds, and what it leaves."""
    counted = work_dir.with_suffix('.count')
    start = os.times().elapsed

    def count() -> None:
        changes = Changes()
        try:
            _train(config, work_dir)
        finally:
            counted.write_text(str(changes.number), encoding='utf-8')

    status = run_in_child(count, work_dir.with_suffix('.log'), MOST_SECONDS)
    if status:
        raise RuntimeError(f'the undisturbed training ended with status {status}, see {work_dir.with_suffix(".log")}')
    return int(counted.read_text(encoding='utf-8')), os.times().elapsed - start, final_state(work_dir)


def _killed_run(
    config: Path, work_dir: Path, kind: signal.Signals, moment: float, at_a_change: bool, expected: dict
) -> str:
    """Kill a training once and let it go on; returns what is wrong then, '' if nothing is."""
    log = work_dir.with_suffix('.log')

    def disturbed() -> None:
        if at_a_change:
            Changes(int(moment), kind)
        _train(config, work_dir)

    try:
        status = run_in_child(disturbed, log, MOST_SECONDS, None if at_a_change else (kind, moment))
        if status == 1:
            return f'the training that got {kind.name} failed, see {log}'
        resumed = run_in_child(functools.partial(_train, config, work_dir, '--resume'), log, MOST_SECONDS)
    except TimeoutError as error:
        return str(error)
    if resumed:
        return f'the resumed training ended with status {resumed}, see {log}'
    return difference(final_state(work_dir), expected)


def _train(config: Path, work_dir: Path, *flags: str) -> None:
    train.main([str(config), '--work-dir', str(work_dir), '--seed', '0', *flags])


class Changes:
    """Counts a process's changes of files: writes of a checkpoint, waits for the disk, names given and taken.

    Args:
        last (int): The number of the change at which the process gets a signal. Defaults to 0: none.
        kind (signal.Signals): The signal. Defaults to SIGKILL.
    """

    def __init__(self, last: int = 0, kind: signal.Signals = signal.SIGKILL) -> None:
        self.number, self.last, self.kind = 0, last, kind
        for name in ('fsync', 'replace', 'unlink', 'remove'):
            setattr(os, name, self._counted(getattr(os, name)))
        save = torch.save
        torch.save = lambda content, file, *args, **kwargs: save(content, _CountedFile(file, self), *args, **kwargs)

    def happen(self) -> None:
        """Count a change that is about to happen."""
        self.number += 1
        if self.number == self.last:
            os.kill(os.getpid(), self.kind)

    def _counted(self, change: Callable) -> Callable:
        @functools.wraps(change)
        def counted(*args, **kwargs):
            self.happen()
            return change(*args, **kwargs)

        return counted


class _CountedFile:
    """A file whose writes are counted."""

    def __init__(self, file: object, changes: Changes) -> None:
        self._file, self._changes = file, changes

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def write(self, content: bytes) -> int:
        self._changes.happen()
        return self._file.write(content)


def final_state(work_dir: Path) -> dict[str, dict[str, Tensor]]:
    """The weights of every checkpoint in a run's folder, by its name."""
    return {path.name: load_from_local(str(path), 'cpu')['state_dict'] for path in sorted(work_dir.glob('*.pth'))}


def difference(found: dict[str, dict[str, Tensor]], expected: dict[str, dict[str, Tensor]]) -> str:
    """What tells two runs' checkpoints apart; '' if nothing does."""
    if found.keys() != expected.keys():
        return f'checkpoints are {_named(found)} instead of {_named(expected)}'
    for file, weights in expected.items():
        for name, value in weights.items():
            if not torch.equal(found[file][name], value):
                return f'{name} of {file} differs'
    return ''


def _named(names: Sequence[str]) -> str:
    return ', '.join(sorted(names)) or 'none'
