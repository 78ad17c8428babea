"""What the guards of a training cost: epochs with all of them on and with all of them off, in turn, data included."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from benchmarks.parts import Part, positive
from repflow_mm import registration  # noqa: F401
from repflow_mm.markdown import markdown_table

# What stands in the place of what guards: upstream's own, or nothing.
UPSTREAM = {
    'CheckedVideoDataset': 'VideoDataset',
    'CheckedRawframeDataset': 'RawframeDataset',
    'ResumableEpochBasedTrainLoop': 'EpochBasedTrainLoop',
}
GUARDS = ('bad_data', 'read_watch')
ON, OFF = 'guards on', 'guards off'


class StepTimes(Hook):
    """The time at the start of the epoch and after each step."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.times = []

    def before_train_epoch(self, runner: Runner) -> None:
        """Note the start."""
        self.times = [time.perf_counter()]

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Note the end of a step."""
        self.times.append(time.perf_counter())


def without_guards(cfg: Config) -> None:
    """Take out of a config what guards a training: hooks, the loop's and the dataset's; what it computes stays."""
    cfg.custom_hooks = []
    for name in GUARDS:
        cfg.default_hooks.pop(name, None)
    cfg.train_cfg.type = UPSTREAM.get(cfg.train_cfg.type, cfg.train_cfg.type)
    cfg.train_dataloader.pop('worker_init_fn', None)
    dataset = cfg.train_dataloader.dataset
    dataset.type = UPSTREAM.get(dataset.type, dataset.type)


def measure_epoch(config: Path, guards: bool, steps: int, warm_up: int, work_dir: Path, options: dict) -> float:
    """Seconds a training step takes in one epoch, data included, as ``tools/train.py`` runs it.

    Args:
        config (Path): The config, whose data must exist.
        guards (bool): Whether the guards are on.
        steps (int): Steps that are measured at most.
        warm_up (int): Steps before them.
        work_dir (Path): The run's folder.
        options (dict): Overrides of the config.

    Returns:
        float: Seconds.
    """
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(options)
    cfg.work_dir, cfg.load_from, cfg.log_level = str(work_dir), None, 'WARNING'
    cfg.experiment_name = f'guards_{guards}_{time.monotonic_ns()}'
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.default_hooks.checkpoint = None
    cfg.train_cfg = dict(type=cfg.train_cfg.type, max_epochs=1)
    cfg.param_scheduler = None
    cfg.randomness = dict(seed=0)
    if not guards:
        without_guards(cfg)
    times = StepTimes()
    runner = Runner.from_cfg(cfg)
    runner.register_hook(times)
    runner.train()
    if len(times.times) <= warm_up + 1:
        raise ValueError(f'{config} has {len(times.times) - 1} steps an epoch, which leaves none after {warm_up}')
    last = min(warm_up + steps, len(times.times) - 1)
    return (times.times[last] - times.times[warm_up]) / (last - warm_up)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the part."""
    parser.add_argument(
        '--config', type=Path, default=Path('configs/demo/repflow_r18_motion_clips.py'), help='default: the demo'
    )
    parser.add_argument('--steps', type=positive, default=40, help='training steps of each run (default: 40)')
    parser.add_argument('--warm-up', type=positive, default=5, help='steps before them (default: 5)')
    parser.add_argument('--batch-size', type=positive, help="samples a step; default: the config's")
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/guards'), help='folder of the runs')


def run(args: argparse.Namespace) -> tuple[list[dict], str]:
    """Time pairs of epochs; the data are the config's own, MOTION_CLIPS names the demo's."""
    options = {} if args.batch_size is None else {'train_dataloader.batch_size': args.batch_size}
    seconds = {ON: [], OFF: []}
    for guards in _turns(args.repeats):
        found = measure_epoch(args.config, guards, args.steps, args.warm_up, args.work_dir, options)
        seconds[ON if guards else OFF].append(found)
    ratios = [on / off for on, off in zip(seconds[ON], seconds[OFF])]
    rows = [dict(name=name, config=str(args.config), seconds_a_step=found) for name, found in seconds.items()]
    table = [
        (
            row['name'],
            f'{1e3 * min(row["seconds_a_step"]):.1f}',
            f'{1e3 * statistics.median(row["seconds_a_step"]):.1f}',
        )
        for row in rows
    ]
    text = markdown_table((str(args.config), 'ms a step, least', 'median'), table)
    spread = f'{min(ratios) - 1:+.1%} to {max(ratios) - 1:+.1%}'
    return (
        rows,
        f'{text}\n\nwith guards: {statistics.median(ratios) - 1:+.1%} in the median of {len(ratios)} pairs, {spread}',
    )


def _turns(pairs: int) -> Iterator[bool]:
    """On and off, in an order that changes from pair to pair."""
    for pair in range(pairs):
        yield from (True, False) if pair % 2 else (False, True)


PARTS = {'guards': Part('training with all guards on and off', add_arguments, run)}
