"""A folder that has what the documentation's blocks name, small: videos, lists, a checkpoint, scores, flow."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import torch
from helpers import ROOT
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope

import repflow_mm.registration  # noqa: F401

# Words of the documentation, and what stands in for them where a block is run.
STAND_INS = {
    'CONFIG': 'configs/demo/repflow_r18_motion_clips.py',
    'CHECKPOINT': 'checkpoint.pth',
    'repflow_r50_kinetics': 'repflow_r18_motion_clips',
    'epoch_60.pth': 'checkpoint.pth',
}
CLASSES = 16


def fill(folder: Path, clips: Path, flow: Path) -> None:
    """Put everything into a folder.

    Args:
        folder: An empty folder.
        clips: Motion clips with ``train.txt``, as the fixture makes them.
        flow: Their flow.
    """
    for name in ('configs', 'tools'):
        (folder / name).symlink_to(ROOT / name)
    lines = (clips / 'train.txt').read_text().splitlines()[:2]
    videos = [clips / line.rsplit(' ', 1)[0] for line in lines]
    for name in ('videos', 'data/hmdb51/videos'):
        (folder / name).mkdir(parents=True)
        for video in videos:
            shutil.copy(video, folder / name)
    list_of_videos = ''.join(f'{video.name} {label}\n' for label, video in enumerate(videos))
    for name in ('train.txt', 'list.txt', 'data/hmdb51/hmdb51_train_split_1_videos.txt'):
        (folder / name).write_text(list_of_videos)
    for name in ('clip.mp4', 'match.mp4', 'video.mp4'):
        shutil.copy(videos[0], folder / name)
    (folder / 'flow').symlink_to(flow)
    (folder / 'flow.txt').write_text((flow / 'val.txt').read_text())
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(Config.fromfile(ROOT / STAND_INS['CONFIG']).model)
    torch.save(dict(state_dict=model.state_dict()), folder / 'checkpoint.pth')
    _write_scores(folder)


def _write_scores(folder: Path) -> None:
    """Dumps of scores as ``test --dump`` writes them, by the names that pages give them."""
    sweep = 'work_dirs/ablations/runs/fcf-all-flows_r18/seed0'
    (folder / sweep).mkdir(parents=True)
    for name in ('rgb.pkl', 'flow.pkl', 'val_rgb.pkl', 'val_flow.pkl', f'{sweep}/scores.pkl'):
        split = 'val' if name.startswith('val') else 'test'
        scores = torch.rand(2 * CLASSES, CLASSES, generator=torch.Generator().manual_seed(len(name))).softmax(1)
        samples = [
            dict(filename=f'{split}_{i}.mp4', gt_label=torch.tensor([i % CLASSES]), pred_score=score)
            for i, score in enumerate(scores)
        ]
        (folder / name).write_bytes(pickle.dumps(samples))
