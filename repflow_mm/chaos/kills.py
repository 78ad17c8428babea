"""Trainings that are killed, and go on: their weights and best checkpoints are those of one that was not."""

from __future__ import annotations

import contextlib
import functools
import importlib
import itertools
import json
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

import repflow_mm.registration  # noqa: F401
from repflow_mm.apis import train
from repflow_mm.chaos.parts import emit_untried, run_in_child, seed_of, tries_of
from repflow_mm.compat.checkpoints import load_from_local
from repflow_mm.datasets.motion_clips.clips import MotionClipOptions
from repflow_mm.datasets.motion_clips.files import make_motion_clips
from repflow_mm.files import write_json
from repflow_mm.timed_parts.context import Context, Emit

WANTED = 50
# A child that takes longer hangs.
MOST_SECONDS = 300
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
# Changes on disk, by what makes them; what torch.save writes is counted beside.
CHANGES = dict(fsync='an fsync', rename='a rename', replace='a rename', unlink='a removal', remove='a removal')
WRITE = 'a write'
# When a signal comes: before a change of some kind, or at any time.
PLACES = (WRITE, *dict.fromkeys(CHANGES.values()))
AT_RANDOM = 'a random moment'
KINDS_OF_KILLS = tuple(itertools.product(SIGNALS, (*PLACES, AT_RANDOM)))
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
    counts, seconds, expected = undisturbed_run(config, folder / 'undisturbed')
    kills = list(itertools.islice(_kills(rng, counts, seconds), tries_of(context, WANTED)))
    for number, kill in enumerate(kills):
        if context.seconds_left() < 4 * seconds + 5:
            emit_untried(emit, [left.name for left in kills[number : len(KINDS_OF_KILLS)]])
            return
        why = _killed_run(config, folder / f'run{number}', kill, expected)
        emit(kind=kill.name, count=1, ok=not why, why=why and f'{kill.where(counts)}: {why}')


class Kill(NamedTuple):
    """A signal, and when it comes.

    Attributes:
        signal: The signal.
        place: One of ``PLACES``, or ``AT_RANDOM``.
        moment: Of the changes of that kind the number of the one that it comes before; or seconds after the start.
    """

    signal: signal.Signals
    place: str
    moment: float

    @property
    def name(self) -> str:
        """What the table calls such a kill."""
        return f'{self.signal.name}, at {self.place}'

    def where(self, counts: Mapping[str, int]) -> str:
        """The moment, in words."""
        if self.place == AT_RANDOM:
            return f'after {self.moment:.2f} s'
        return f'at {self.place}, number {self.moment} of {counts[self.place]}'


def _kills(rng: random.Random, counts: Mapping[str, int], seconds: float) -> Iterator[Kill]:
    """Kills of every kind once, then of every kind again; no change is met twice before all of its kind have been."""
    places = {place: _dealt(rng, range(1, counts[place] + 1)) for place in PLACES}
    while True:
        for kind, place in rng.sample(KINDS_OF_KILLS, len(KINDS_OF_KILLS)):
            yield Kill(kind, place, rng.uniform(0, seconds) if place == AT_RANDOM else next(places[place]))


def _dealt(rng: random.Random, moments: Sequence[int]) -> Iterator[int]:
    """All of some moments in a random order, then all of them in another one, and so on."""
    while True:
        yield from rng.sample(moments, len(moments))


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


def undisturbed_run(config: Path, work_dir: Path) -> tuple[dict[str, int], float, dict]:
    """Train without a disturbance; returns the number of changes of each kind, the seconds, and what it leaves."""
    counted = work_dir.with_suffix('.json')
    start = os.times().elapsed

    def count() -> None:
        changes = Changes()
        try:
            _train(config, work_dir)
        finally:
            write_json(counted, changes.counts)

    status = run_in_child(count, work_dir.with_suffix('.log'), MOST_SECONDS)
    if status:
        raise RuntimeError(f'the undisturbed training ended with status {status}, see {work_dir.with_suffix(".log")}')
    counts = json.loads(counted.read_text(encoding='utf-8'))
    if not all(counts.values()):
        raise RuntimeError(f'the undisturbed training lacks changes of a kind: {counts}')
    return counts, os.times().elapsed - start, final_state(work_dir)


def _killed_run(config: Path, work_dir: Path, kill: Kill, expected: dict) -> str:
    """Kill a training once and let it go on; returns what is wrong then, '' if nothing is."""
    log, is_at_random = work_dir.with_suffix('.log'), kill.place == AT_RANDOM

    def disturbed() -> None:
        if not is_at_random:
            Changes(kill)
        _train(config, work_dir)

    try:
        status = run_in_child(disturbed, log, MOST_SECONDS, (kill.signal, kill.moment) if is_at_random else None)
        if status == 1:
            return f'the training that got {kill.signal.name} failed, see {log}'
        if not is_at_random and kill.signal == signal.SIGKILL != -status:
            return f'the training ended with status {status}, it was not killed'
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
        kill (Kill, optional): The change before which the process gets a signal. Defaults to None.

    Attributes:
        counts (dict[str, int]): How many there were, of each of ``PLACES``.
    """

    def __init__(self, kill: Kill | None = None) -> None:
        self.kill, self.counts = kill, dict.fromkeys(PLACES, 0)
        for name, place in CHANGES.items():
            setattr(os, name, self._counted(getattr(os, name), place))
        save = torch.save
        torch.save = lambda content, file, *args, **kwargs: save(content, _CountedFile(file, self), *args, **kwargs)

    def happen(self, place: str) -> None:
        """Count a change that is about to happen."""
        self.counts[place] += 1
        if self.kill is not None and (self.kill.place, self.kill.moment) == (place, self.counts[place]):
            os.kill(os.getpid(), self.kill.signal)

    def _counted(self, change: Callable, place: str) -> Callable:
        @functools.wraps(change)
        def counted(*args, **kwargs):
            self.happen(place)
            return change(*args, **kwargs)

        return counted


class _CountedFile:
    """A file whose writes are counted."""

    def __init__(self, file: object, changes: Changes) -> None:
        self._file, self._changes = file, changes

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def write(self, content: bytes) -> int:
        self._changes.happen(WRITE)
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
