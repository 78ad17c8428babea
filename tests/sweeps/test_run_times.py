import pytest
import torch
from helpers import ROOT, shrink_config
from mmengine.config import Config

from repflow_mm.sweeps import run_times
from repflow_mm.sweeps.run_times import seconds_a_video


def configs(motion_clips, tmp_path, *names):
    found = {name: Config.fromfile(ROOT / 'configs' / 'demo' / f'{name}_motion_clips.py') for name in names}
    for cfg in found.values():
        shrink_config(cfg, motion_clips, tmp_path)
    return found


def test_flow_that_is_computed_on_the_fly_counts(motion_clips, tmp_path, monkeypatch):
    shapes = []

    def seconds_of(calls, repeats, device, progress):
        for call in calls.values():
            (sample,) = call()
            shapes.append((sample.pred_score.shape, int(sample.gt_label)))
        return {config: [0.5, 0.25, float(number)] for number, config in enumerate(calls, start=1)}

    monkeypatch.setattr(run_times, 'seconds_of', seconds_of)
    seen = []
    original = run_times.MODELS.build

    def build(cfg):
        model = original(cfg)
        if hasattr(model, 'backbone'):
            model.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape)))
        return model

    monkeypatch.setattr(run_times.MODELS, 'build', build)
    seconds = seconds_a_video(configs(motion_clips, tmp_path, 'rgb_r18', 'flow_r18'))
    assert seconds == dict(rgb_r18=0.25, flow_r18=0.25)
    assert seen == [(1, 3, 5, 32, 32), (1, 2, 4, 32, 32)]  # frames, and the flow between them
    assert shapes == [(torch.Size([8]), 0)] * 2


def test_real_times(motion_clips, tmp_path):
    (seconds,) = seconds_a_video(configs(motion_clips, tmp_path, 'repflow_r18'), repeats=2).values()
    assert 0 < seconds < 10


def test_missing_test_set_is_named(motion_clips, tmp_path):
    found = configs(motion_clips, tmp_path, 'rgb_r18')
    found['rgb_r18'].test_dataloader.dataset.ann_file = str(tmp_path / 'missing.txt')
    with pytest.raises(FileNotFoundError, match='missing.txt does not exist'):
        seconds_a_video(found)
