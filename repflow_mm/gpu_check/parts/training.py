"""Part: the demo's training with ``tools/train.py --amp`` on clips that it makes."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from repflow_mm.gpu_check.tables import Table
from repflow_mm.resources import configs_folder
from repflow_mm.timed_parts.context import Context, Emit, read_records

CLIPS = dict(train=800, val=200, size=64, length=12)
TINY_CLIPS = dict(train=16, val=8, size=32, length=12)
CLASSES = 8
# Every step is logged, so that none that is not finite is missed.
OPTIONS = ['default_hooks.logger.interval=1', 'log_processor.window_size=1', 'default_hooks.checkpoint=None']
TINY_OPTIONS = ['train_dataloader.batch_size=4', 'model.backbone.flow.num_iters=2', 'train_cfg.max_epochs=1']
SECONDS_TO_REPORT = 3


def run(emit: Emit, context: Context) -> None:
    """Emit what the training's log says, at its end or at the end of the time."""
    try:
        train, config = training_files()
    except FileNotFoundError as error:
        emit(table='training', why=str(error))
        return
    from repflow_mm.datasets.motion_clips.clips import MotionClipOptions
    from repflow_mm.datasets.motion_clips.files import make_motion_clips

    clips, work_dir = context.folder / 'motion_clips', context.folder / 'training'
    jobs = 1 if context.rehearsal else None
    make_motion_clips(clips, MotionClipOptions(**(TINY_CLIPS if context.rehearsal else CLIPS)), jobs)
    start = time.monotonic()
    ended = _train([train, config, '--work-dir', work_dir], clips, context)
    emit(table='training', ended=ended, seconds=time.monotonic() - start, **summarise(read_log(work_dir), ended))


def training_files() -> tuple[Path, Path]:
    """``tools/train.py`` and the demo's config: those of the checkout, or the copies in an installed package.

    Raises:
        FileNotFoundError: If one of them does not exist.
    """
    configs = configs_folder()
    files = configs.parent / 'tools' / 'train.py', configs / 'demo' / 'repflow_r18_motion_clips.py'
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise FileNotFoundError(f'{" and ".join(missing)} cannot be found')
    return files


def _train(arguments: Sequence[str | Path], clips: Path, context: Context) -> bool:
    """Train until the end of the schedule or of the time; returns whether it was the former.

    Raises:
        RuntimeError: If the training fails, with the last line of its output.
    """
    options = OPTIONS + (TINY_OPTIONS if context.rehearsal else [])
    command = [sys.executable, *arguments, '--amp', '--seed', '0', '--cfg-options', *options]
    log = context.folder / 'train.log'
    with open(log, 'w', encoding='utf-8') as output:
        environment = {**os.environ, 'MOTION_CLIPS': str(clips), 'MPLBACKEND': 'Agg'}
        process = subprocess.Popen(list(map(str, command)), stdout=output, stderr=subprocess.STDOUT, env=environment)
        try:
            status = process.wait(max(1.0, context.seconds_left() - SECONDS_TO_REPORT))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return False
    if status:
        lines = log.read_text(encoding='utf-8', errors='replace').split('\n')
        raise RuntimeError(f'the training ended with status {status}: {[line for line in lines if line.strip()][-1:]}')
    return True


def read_log(work_dir: Path) -> list[dict]:
    """The records of the run's log, but a last line that is not complete."""
    logs = sorted(work_dir.glob('*/vis_data/scalars.json'))
    return read_records(logs[-1]) if logs else []


def summarise(log: Sequence[dict], ended: bool) -> dict:
    """Steps, how many losses are not finite, first and last loss, and the accuracy after each epoch.

    ``ok``: no loss is infinite or NaN, and a training that came to its end has some step; where the time ended before
    the first step, nothing was checked, and there is none. Steps that the loss scaler leaves out because of infinite
    gradients are its ordinary business, and leave the loss finite.
    """
    losses = [record['loss'] for record in log if 'loss' in record]
    not_finite = sum(not math.isfinite(loss) for loss in losses)
    times = [record['time'] for record in log if 'loss' in record]
    outcome = dict(ok=not_finite == 0 and len(losses) > 0) if losses or ended else {}
    return dict(
        steps=len(losses),
        not_finite=not_finite,
        losses=losses[:1] + losses[-1:],
        step_seconds=sorted(times)[len(times) // 2] if times else None,
        top1=[record['acc/top1'] for record in log if 'acc/top1' in record],
        **outcome,
    )


def tables(records: Sequence[dict]) -> list[Table]:
    """The training in one row."""
    rows = [_row(record) for record in records if record['table'] == 'training']
    about = (
        f"The demo's RepFlow network on {CLIPS['train']} clips of moving textures with mixed precision, accuracy on "
        f'{CLIPS["val"]} others after each epoch; chance is {1 / CLASSES:.1%}.'
    )
    header = ('steps', 's', 's a step', 'losses not finite', 'loss, first and last', 'top-1', 'ended')
    return [Table('Training of the demo', about, header, rows)]


def _row(record: dict) -> tuple:
    if 'steps' not in record:
        return (record['why'], *('–',) * 6)
    losses = ', '.join(f'{loss:.3g}' for loss in record['losses'])
    step = f'{record["step_seconds"]:.3g}' if record['step_seconds'] else '–'
    top1 = ', '.join(f'{100 * value:.1f} %' for value in record['top1']) or '–'
    end = 'schedule' if record['ended'] else 'time limit'
    return record['steps'], f'{record["seconds"]:.0f}', step, record['not_finite'], losses, top1, end
