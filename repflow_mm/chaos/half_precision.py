"""Trainings in half precision: no step is left out for its numbers, and accuracy is that of float32 within noise."""

from __future__ import annotations

import math
import os
from pathlib import Path

import torch

import repflow_mm.registration  # noqa: F401
from repflow_mm.apis import train
from repflow_mm.chaos.parts import emit_untried, run_in_child, tries_of
from repflow_mm.compat.checkpoints import load_from_local
from repflow_mm.datasets.motion_clips.clips import MotionClipOptions
from repflow_mm.datasets.motion_clips.files import make_motion_clips
from repflow_mm.timed_parts.context import Context, Emit

MOST_SECONDS = 300
CLIPS = MotionClipOptions(train=320, val=160, size=32, length=8)
# Networks that learn the motions in a few steps, and how long each trains.
CONFIG = """
_base_ = 'repflow_mm::demo/repflow_r18_motion_clips.py'
model = dict(backbone=dict({backbone}), cls_head=dict(in_channels=128))
train_cfg = dict(max_epochs={epochs})
param_scheduler = [dict(type='CosineAnnealingLR', T_max={epochs}, by_epoch=True, convert_to_iter_based=True)]
default_hooks = dict(checkpoint=dict(save_best=None, max_keep_ckpts=1))
"""
NARROW_3D = (
    '_delete_=True, type={type!r}, depth=18, num_stages=2, base_channels=64, out_indices=(1,), spatial_strides=(1, 2), '
    'temporal_strides=(1, 1), dilations=(1, 1), inflate=(1, 1), with_pool2=False, num_segments=8, '
    "flow=dict(after='block1', channels=16, num_iters=10)"
)
BACKBONES = {
    'RepFlowResNet': 'num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(1,)',
    'RepFlowResNet, FcF': (
        'num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(1,), '
        "flow=dict(steps=('flow', 'conv', 'flow'), outputs='all', init='mean', conv_padding='replicate')"
    ),
    'RepFlowResNet3d': NARROW_3D.format(type='RepFlowResNet3d'),
    'RepFlowResNet2Plus1d': NARROW_3D.format(type='RepFlowResNet2Plus1d'),
}
EPOCHS = 2
COMPARED = ('bfloat16, against float32', 'float16, its first steps')


def run(emit: Emit, context: Context) -> None:
    """Train each backbone in float32 and in bfloat16, and a few steps of it in float16, as far as the time goes."""
    torch.set_num_threads(1)
    folder, seconds = context.folder / 'half_precision', 0.0
    prepare(folder)
    names = list(BACKBONES)[: tries_of(context, len(BACKBONES))]
    for number, name in enumerate(names):
        before = context.seconds_left()
        if before < 1.2 * seconds:
            emit_untried(emit, [f'{left}, {kind}' for left in names[number:] for kind in COMPARED])
            return
        for kind, why in zip(COMPARED, compare(name, folder)):
            emit(kind=f'{name}, {kind}', count=1, ok=not why, why=why)
        seconds = before - context.seconds_left()


def prepare(folder: Path, clips: MotionClipOptions = CLIPS) -> None:
    """Make the clips that the trainings read."""
    make_motion_clips(folder / 'clips', clips, jobs=1)
    os.environ['MOTION_CLIPS'] = str(folder / 'clips')


def compare(name: str, folder: Path, epochs: int = EPOCHS) -> tuple[str, str]:
    """What is wrong with the trainings of a backbone in bfloat16 and in float16, each '' if nothing is."""
    accuracy, _ = trained(name, folder, 'float32', epochs)
    in_half, skipped = trained(name, folder, 'bfloat16', epochs)
    noise = 3 * math.sqrt(2 * max(accuracy * (1 - accuracy), 1 / CLIPS.val) / CLIPS.val)
    differs = abs(in_half - accuracy) > noise
    problems = [f'{skipped} steps were not finite'] if skipped else []
    problems += [f'accuracy {in_half:.3f}, in float32 {accuracy:.3f}, which noise does not explain'] if differs else []
    _, skipped = trained(name, folder, 'float16', 1)
    return '; '.join(problems), f'{skipped} steps were not finite' if skipped else ''


def trained(name: str, folder: Path, dtype: str, epochs: int) -> tuple[float, int]:
    """Train a backbone; returns the accuracy at the end and the number of steps that were not finite.

    Raises:
        RuntimeError: If the training fails.
    """
    config = folder / f'{name.replace(", ", "_")}_{dtype}.py'
    text = CONFIG.format(backbone=BACKBONES[name], epochs=epochs)
    if dtype != 'float32':
        text += f"optim_wrapper = dict(type='CpuAmpOptimWrapper', dtype={dtype!r})\n"
    if dtype == 'float16':  # a CPU computes in it slowly
        text += 'train_dataloader = dict(batch_size=4, dataset=dict(indices=16))\nval_dataloader = None\n'
        text += 'val_cfg = None\nval_evaluator = None\n'
    config.write_text(text, encoding='utf-8')
    work_dir = config.with_suffix('')
    arguments = [str(config), '--work-dir', str(work_dir), '--seed', '0']
    if run_in_child(lambda: train.main(arguments), config.with_suffix('.log'), MOST_SECONDS):
        raise RuntimeError(f'the training of {name} in {dtype} failed, see {config.with_suffix(".log")}')
    hub = load_from_local(str(work_dir / f'epoch_{epochs}.pth'), 'cpu')['message_hub']
    scores = hub['log_scalars'].get('val/acc/top1')
    accuracy = math.nan if scores is None else float(scores.data[0][-1])
    return accuracy, hub['runtime_info'].get('skipped_steps', 0)
