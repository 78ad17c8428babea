import pytest
import torch
from helpers import ROOT, config_files
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from repflow_mm.compat import prepare_upstream


@pytest.mark.parametrize('batch', [1, 2])
def test_divided_views_have_the_features_of_the_undivided(batch):
    prepare_upstream()
    init_default_scope('mmaction')
    cfg = Config.fromfile(ROOT / 'configs/demo/repflow_r18_motion_clips.py')
    model = MODELS.build(cfg.model).eval()
    clips = torch.rand(batch, 5, 3, 8, 16, 16)
    with torch.no_grad():
        model.test_cfg = None
        expected, _ = model.extract_feat(clips, test_mode=True)
        model.test_cfg = dict(max_testing_views=2)
        calls = []
        model.backbone.register_forward_pre_hook(lambda module, args: calls.append(len(args[0])))
        features, _ = model.extract_feat(clips, test_mode=True)
    assert calls == [2] * (5 * batch // 2) + [1] * (5 * batch % 2)
    torch.testing.assert_close(features, expected)


# The pixels of five clips of 32x256x256, the largest crops of any config.
MOST_PIXELS = 5 * 32 * 256 * 256


@pytest.mark.parametrize('path', config_files())
def test_what_goes_through_at_a_time_in_testing_is_bounded(path):
    cfg = Config.fromfile(ROOT / path)
    if cfg.model.type != 'Recognizer3D':
        return
    steps = cfg.test_dataloader.dataset.pipeline
    sampler = next(step for step in steps if step.type in ('SampleFrames', 'UniformSample'))
    crop = next((step for step in steps if step.type in ('CenterCrop', 'ThreeCrop')), None)
    views = (cfg.model.get('test_cfg') or {}).get('max_testing_views', 0)
    if crop is not None:
        pixels = sampler.clip_len * crop.crop_size**2
        assert 0 < views * pixels <= MOST_PIXELS
        assert 2 * views * pixels > MOST_PIXELS or views >= sampler.get('num_clips', 1), 'no smaller than need be'
    else:
        assert sampler.num_clips == 1, 'motion clips, which are small'
