import cv2
import numpy as np
import pytest
import torch
from helpers import ROOT, shrink_config
from mmaction.structures import ActionDataSample
from mmaction.visualization import ActionVisualizer
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from repflow_mm.compat.visualization import draw_recognized_clips, first_clip

draw_recognized_clips()


def test_clips_of_every_layout_are_pictures():
    views = torch.arange(2 * 3 * 4 * 5 * 6).reshape(2, 3, 4, 5, 6)  # (M, C, T, H, W)
    assert torch.equal(first_clip(views), views[0])
    assert torch.equal(first_clip(views[0].transpose(0, 1)), views[0]), 'frames (T, C, H, W)'
    flow = first_clip(views[:, :2])
    assert flow.shape == (3, 4, 5, 6) and torch.equal(flow, views[0, :1].expand(3, 4, 5, 6))


@pytest.mark.parametrize('label', [2, -1])
def test_labels_are_drawn(label, monkeypatch):
    init_default_scope('mmaction')
    visualizer = ActionVisualizer()
    visualizer.dataset_meta = dict(classes=('up', 'down', 'left'))
    texts = []
    monkeypatch.setattr(visualizer, 'draw_texts', lambda text, **kwargs: texts.append(text))
    monkeypatch.setattr(visualizer, 'add_video', lambda *args, **kwargs: None)
    sample = ActionDataSample().set_gt_label(label).set_pred_label(1).set_pred_score(torch.tensor([0.1, 0.75, 0.15]))
    visualizer.add_datasample('clip', np.zeros((1, 16, 16, 3), np.uint8), sample)
    assert 'Prediction: 1, 0.75 (down)' in texts[0]
    assert ('Ground truth: 2 (left)' in texts[0]) == (label == 2)
    assert 'pred_labels' not in sample, 'the sample that metrics see stays as it is'


RECOGNIZERS = {
    '3d': 'demo/repflow_r18_motion_clips',
    '2d': 'any_backbone/repflow_tsm-r50_8xb8-1x1x8-60e_kinetics400-rgb',
}


@pytest.mark.parametrize('name', RECOGNIZERS.values(), ids=RECOGNIZERS)
def test_show_dir_writes_the_clips_of_3d_and_2d_recognizers(name, motion_clips, tmp_path):
    cfg = Config.fromfile(ROOT / 'configs' / f'{name}.py')
    shrink_config(cfg, motion_clips, tmp_path / 'run')
    cfg.default_hooks.visualization = dict(
        type='VisualizationHook', enable=True, interval=1, out_dir=str(tmp_path / 'shown')
    )
    Runner.from_cfg(cfg).test()
    pictures = sorted((tmp_path / 'shown').rglob('*.png'))
    length = next(s for s in cfg.test_dataloader.dataset.pipeline if s.type == 'SampleFrames')
    assert len(pictures) == 2 * length.clip_len * length.num_clips
    assert all(cv2.imread(str(path)).std() > 0 for path in pictures)
