from types import SimpleNamespace

import pytest
from helpers import ROOT
from mmaction.apis.inferencers import ActionRecogInferencer
from mmaction.registry import TRANSFORMS
from mmengine.config import Config
from mmengine.registry import init_default_scope

import repflow_mm.registration  # noqa: F401
from repflow_mm.compat.inferencers import ALL_SAMPLERS

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


@pytest.mark.parametrize('sampler', ALL_SAMPLERS)
def test_frames_of_a_video_that_no_step_opens(sampler):
    step = TRANSFORMS.build(dict(type=f'mmaction.{sampler}', clip_len=4))
    message = f'^a.mp4 is given as a video, but .* no step before {sampler} opens a video. extract_flow writes '
    with pytest.raises(ValueError, match=message):
        step(dict(filename='a.mp4', start_index=0, modality='RGB'))
    with pytest.raises(KeyError):
        step(dict(frame_dir='a', start_index=0, modality='Flow'))


def test_a_config_of_stored_flow_takes_no_videos():
    dataset = dict(type='CheckedRawframeDataset', modality='Flow', pipeline=[dict(type='SampleFrames', clip_len=4)])
    cfg = Config(dict(test_dataloader=dict(dataset=dataset), model=dict(type='Recognizer3D')))
    with pytest.raises(ValueError, match='the config takes flow from the disk, and cannot take videos. extract_flow'):
        ActionRecogInferencer._init_pipeline(SimpleNamespace(input_format='video', pack_cfg={}), cfg)
