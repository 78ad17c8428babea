from types import SimpleNamespace

import pytest
from helpers import ROOT
from mmaction.apis.inferencers import ActionRecogInferencer
from mmengine.config import Config
from mmengine.registry import init_default_scope

import repflow_mm.registration  # noqa: F401

CONFIG = ROOT / 'configs' / 'demo' / 'repflow_r18_motion_clips.py'


@pytest.mark.parametrize('names', [('VideoInit', 'VideoDecode'), ('CheckedDecordInit', 'CheckedDecordDecode')])
def test_videos_are_read_by_the_decoder_that_the_config_names(names):
    init_default_scope('mmaction')
    cfg = Config.fromfile(CONFIG)
    steps = cfg.test_dataloader.dataset.pipeline
    steps[0], steps[2] = dict(type=names[0], decoder='opencv'), dict(type=names[1])
    inferencer = SimpleNamespace(input_format='video', pack_cfg={})
    pipeline = ActionRecogInferencer._init_pipeline(inferencer, cfg)
    kinds = [type(step).__name__ for step in pipeline.transforms]
    assert kinds[:4] == ['InferencerPackInput', 'VideoInit', 'SampleFrames', 'VideoDecode']
    assert pipeline.transforms[1].decoder == 'opencv'
    assert cfg.test_dataloader.dataset.pipeline[0]['type'] == names[0], 'the config stays as it is'


def test_frames_that_are_given_are_not_read():
    init_default_scope('mmaction')
    inferencer = SimpleNamespace(input_format='array', pack_cfg={})
    pipeline = ActionRecogInferencer._init_pipeline(inferencer, Config.fromfile(CONFIG))
    kinds = [type(step).__name__ for step in pipeline.transforms]
    assert kinds[:3] == ['InferencerPackInput', 'SampleFrames', 'ArrayDecode']
