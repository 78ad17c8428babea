"""What the guards of a training cost: steps with all of them on and with all of them off, in turn, data included."""

from __future__ import annotations

import argparse
import copy
import random
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from unittest import mock

from mmengine.config import Config
from mmengine.runner import Runner
from tqdm import tqdm

from benchmarks.parts import Part, positive
from repflow_mm import registration  # noqa: F401
from repflow_mm.datasets.motion_clips.clips import MotionClipOptions
from repflow_mm.datasets.motion_clips.files import make_motion_clips
from repflow_mm.datasets.replacing_dataset import ReplacingDataset
from repflow_mm.engine.hooks.interruption_hook import release_signals
from repflow_mm.engine.loops.sample_order import SampleOrder, SeededDataset
from repflow_mm.markdown import markdown_table
from repflow_mm.testing.own_time import OwnTime
from repflow_mm.testing.timing import median_interval

# What stands in the place of what guards: upstream's own, or nothing.
UPSTREAM = {
    'CheckedVideoDataset': 'VideoDataset',
    'CheckedRawframeDataset': 'RawframeDataset',
    'ResumableEpochBasedTrainLoop': 'EpochBasedTrainLoop',
}
GUARD_HOOKS = (
    'BadDataHook',
    'FiniteNumbersHook',
    'InterruptionHook',
    'ReadWatchHook',
    'ResumeCheckHook',
    'StepSeedHook',
)
ON, OFF = 'guards on', 'guards off'
# Config, samples a step, and the clips that it is trained on.
NETWORKS = {
    'demo': ('configs/demo/repflow_r18_motion_clips.py', 16, MotionClipOptions(train=64, val=8)),
    'r50': (
        'configs/hmdb51/repflow_r50_8xb3-32x2x1-60e_hmdb51-rgb.py',
        1,
        MotionClipOptions(train=8, val=8, size=256, length=72),
    ),
}


def without_guards(cfg: Config) -> None:
    """Take out of a config what guards a training: hooks, the loop's and the dataset's; what it computes stays."""
    cfg.custom_hooks = [hook for hook in cfg.get('custom_hooks') or [] if hook['type'] not in GUARD_HOOKS]
    for name, hook in list(cfg.default_hooks.items()):
        if hook and hook['type'] in GUARD_HOOKS:
            cfg.default_hooks.pop(name)
    cfg.train_cfg.type = UPSTREAM.get(cfg.train_cfg.type, cfg.train_cfg.type)
    cfg.train_dataloader.pop('worker_init_fn', None)
    dataset = cfg.train_dataloader.dataset
    dataset.type = UPSTREAM.get(dataset.type, dataset.type)


def load_config(name: str | None, path: Path | None, batch_size: int | None, work_dir: Path) -> Config:
    """A config to train as it is, without validation and checkpoints, its data loaded by the training's own process.

    Args:
        name (str, optional): A network of ``NETWORKS``, with clips that are made in the working folder.
        path (Path, optional): Another config, whose data must exist.
        batch_size (int, optional): Samples a step, instead of the network's or the config's.
        work_dir (Path): Folder of the runs.
    """
    cfg = Config.fromfile(NETWORKS[name][0] if path is None else path)
    if path is None:
        _, own_batch_size, options = NETWORKS[name]
        clips = work_dir / f'{name}_clips'
        make_motion_clips(clips, options)
        cfg.train_dataloader.batch_size = own_batch_size
        cfg.train_dataloader.dataset.update(ann_file=str(clips / 'train.txt'), data_prefix=dict(video=str(clips)))
    cfg.train_dataloader.batch_size = batch_size or cfg.train_dataloader.batch_size
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.work_dir, cfg.load_from, cfg.log_level = str(work_dir / 'run'), None, 'WARNING'
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.default_hooks.checkpoint = None
    cfg.train_cfg = dict(type=cfg.train_cfg.type, max_epochs=10**6)
    cfg.param_scheduler, cfg.randomness = None, dict(seed=0)
    return cfg


def steps_of(cfg: Config, watch: OwnTime | None = None) -> Iterator[None]:
    """Train, a step at a time, epoch after epoch.

    Args:
        cfg (Config): A config of :func:`load_config`.
        watch (OwnTime, optional): Sums the time of the guards; they must be in the config then. Defaults to None.
    """
    cfg.experiment_name = f'guards_{time.monotonic_ns()}'
    runner = Runner.from_cfg(cfg)
    loop = runner.train_loop
    loop.run = lambda: None
    runner.train()  # builds all that the loop needs
    with ExitStack() as stack:
        stack.callback(runner.call_hook, 'after_run')
        stack.callback(release_signals)
        if watch is None:
            runner.call_hook('before_train')
        else:
            _watch_guards(runner, watch, stack)
        while True:
            if isinstance(loop.dataloader.batch_sampler, SampleOrder):
                loop.dataloader.batch_sampler.start(runner.seed, loop.epoch, 0)
            runner.call_hook('before_train_epoch')
            runner.model.train()
            for number, batch in enumerate(loop.dataloader):
                loop.run_iter(number, batch)
                yield
            runner.call_hook('after_train_epoch')
            loop._epoch += 1


def _watch_guards(runner: Runner, watch: OwnTime, stack: ExitStack) -> None:
    """Begin a training with a watch on all that guards it: hooks, the optimizer wrapper's checks, and datasets."""
    wrapper, dataset = runner.optim_wrapper, runner.train_loop.dataloader.dataset.dataset
    # What the guards wrap does not count; they do so before training.
    wrapper.backward, wrapper.optimizer.step = map(watch.left_out, (wrapper.backward, wrapper.optimizer.step))
    dataset.pipeline, dataset.get_data_info = map(watch.left_out, (dataset.pipeline, dataset.get_data_info))
    runner.call_hook('before_train')
    wrapper.backward, wrapper.optimizer.step = map(watch.counted, (wrapper.backward, wrapper.optimizer.step))
    for kind, name in ((SeededDataset, '__getitems__'), (ReplacingDataset, '__getitem__')):
        stack.enter_context(mock.patch.object(kind, name, watch.counted(getattr(kind, name))))
    for hook in runner.hooks:
        for stage in ('before_train_iter', 'after_train_iter') if type(hook).__name__ in GUARD_HOOKS else ():
            setattr(hook, stage, watch.counted(getattr(hook, stage)))


def measure_pairs(cfg: Config, pairs: int, warm_up: int) -> list[dict]:
    """Train a network twice at the same time, step by step in turn, with guards and without.

    Args:
        cfg (Config): A config of :func:`load_config`.
        pairs (int): Steps of each that are measured.
        warm_up (int): Steps before them.

    Returns:
        list[dict]: Seconds of each pair: ``on`` and ``off``, steps with and without, and ``own``, what the guards
        themselves took of the first.
    """
    rng, watch, plain = random.Random(0), OwnTime(), copy.deepcopy(cfg)
    without_guards(plain)
    found = []
    with closing(steps_of(copy.deepcopy(cfg), watch)) as on, closing(steps_of(plain)) as off:
        for number in tqdm(range(warm_up + pairs), 'pairs of steps', leave=False):
            before, seconds = watch.seconds, {}
            for name, steps in rng.sample([('on', on), ('off', off)], 2):
                start = time.perf_counter()
                next(steps)
                seconds[name] = time.perf_counter() - start
            if number >= warm_up:
                found.append(dict(seconds, own=watch.seconds - before))
    return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the part."""
    parser.add_argument(
        '--network', choices=NETWORKS, default='demo', help='what is trained, on clips made for it; default: demo'
    )
    parser.add_argument('--config', type=Path, help='another config, on its own data')
    parser.add_argument('--steps', type=positive, default=40, help='pairs of training steps of each run (default: 40)')
    parser.add_argument('--warm-up', type=positive, default=5, help='pairs before them (default: 5)')
    parser.add_argument('--batch-size', type=positive, help="samples a step; default: the network's")
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/guards'), help='folder of clips and runs')


def run(args: argparse.Namespace) -> tuple[list[dict], str]:
    """Time pairs of steps, in as many runs as there are repeats."""
    cfg = load_config(args.network, args.config, args.batch_size, args.work_dir)
    pairs = [pair for _ in range(args.repeats) for pair in measure_pairs(cfg, args.steps, args.warm_up)]
    name, size = str(args.config or args.network), cfg.train_dataloader.batch_size
    return pairs, f'{name}, {size} samples a step, {len(pairs)} pairs of steps\n\n{_table(pairs)}'


def _table(pairs: list[dict]) -> str:
    """Medians of the steps, of their differences and of the guards' own time, with intervals."""
    off = statistics.median(pair['off'] for pair in pairs)
    columns = {
        ON: [pair['on'] for pair in pairs],
        OFF: [pair['off'] for pair in pairs],
        'difference of a pair': [pair['on'] - pair['off'] for pair in pairs],
        "the guards' own time": [pair['own'] for pair in pairs],
    }
    rows = []
    for name, seconds in columns.items():
        figures = statistics.median(seconds), *median_interval(seconds)
        rows.append((name, *(f'{1e3 * figure:.2f}' for figure in figures), *(f'{f / off:+.2%}' for f in figures)))
    header = ('', 'ms a step, median', 'from', 'to', 'of a step without', 'from', 'to')
    return f'{markdown_table(header, rows)}\n\nfrom, to: the median lies between with 95 % probability'


PARTS = {'guards': Part('training with all guards on and off', add_arguments, run)}
