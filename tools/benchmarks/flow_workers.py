"""Training on computed flow: samples per second by the preprocessor, and by the transform in 0, 1, 2 data workers."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from mmengine.config import Config
from mmengine.runner import Runner

from benchmarks.parts import Part, positive
from repflow_mm import registration  # noqa: F401
from repflow_mm.markdown import markdown_table

CONFIGS = Path('configs/demo')
# Name: config and data workers.
SETTINGS = {
    'FlowDataPreprocessor, no workers': ('flow_r18_motion_clips.py', 0),
    'FlowDataPreprocessor, 2 workers': ('flow_r18_motion_clips.py', 2),
    'ComputeFlow, no workers': ('flow-workers_r18_motion_clips.py', 0),
    'ComputeFlow, 1 worker': ('flow-workers_r18_motion_clips.py', 1),
    'ComputeFlow, 2 workers': ('flow-workers_r18_motion_clips.py', 2),
}


def measure_training(config: Path, num_workers: int, steps: int, warm_up: int, work_dir: Path) -> dict:
    """Seconds of training steps, data included.

    Args:
        config (Path): The config, whose data must exist.
        num_workers (int): Data workers.
        steps (int): Steps that are measured, in one run.
        warm_up (int): Steps before them, which start the workers and compile the solver.
        work_dir (Path): The run's folder.

    Returns:
        dict: ``seconds`` of the steps and the number of ``samples`` in them.
    """
    cfg = Config.fromfile(config)
    cfg.work_dir, cfg.load_from, cfg.visualizer = str(work_dir), None, None
    cfg.default_hooks, cfg.log_level, cfg.experiment_name = dict(checkpoint=None), 'WARNING', f'workers{num_workers}'
    cfg.train_dataloader.update(num_workers=num_workers, persistent_workers=num_workers > 0)
    runner = Runner.from_cfg(cfg)
    loader = runner.build_dataloader(cfg.train_dataloader)
    optimizer = runner.build_optim_wrapper(cfg.optim_wrapper)
    runner.model.train()
    batches, samples = _endless(loader), 0
    for step in range(warm_up + steps):
        if step == warm_up:
            start = time.perf_counter()
        batch = next(batches)
        runner.model.train_step(batch, optimizer)
        samples += len(batch['inputs']) if step >= warm_up else 0
    return dict(seconds=time.perf_counter() - start, samples=samples)


def _endless(loader):
    while True:
        yield from loader


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the part."""
    parser.add_argument('--steps', type=positive, default=40, help='training steps of each run (default: 40)')
    parser.add_argument('--warm-up', type=positive, default=10, help='steps before them (default: 10)')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/flow_workers'), help='folder of the runs')


def run(args: argparse.Namespace) -> tuple[list[dict], str]:
    """Time the demo's flow stream; the environment variable MOTION_CLIPS names its clips."""
    rows = []
    for name, (config, num_workers) in SETTINGS.items():
        times = [
            measure_training(CONFIGS / config, num_workers, args.steps, args.warm_up, args.work_dir)
            for _ in range(args.repeats)
        ]
        rates = [row['samples'] / row['seconds'] for row in times]
        rows.append(dict(name=name, num_workers=num_workers, samples_per_second=rates))
    table = [[row['name'], f'{max(row["samples_per_second"]):.1f}'] for row in rows]
    return rows, markdown_table(('flow', 'samples per second'), table)


PARTS = {'flow_workers': Part('training on flow computed by the preprocessor and in data workers', add_arguments, run)}
