import math

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from repflow_mm.apis.flow_viewers import (
    FramesViewer,
    NetworkViewer,
    SolverSettings,
    classical_flow,
    one_view,
    see_clip,
)
from repflow_mm.datasets.motion_clips.clips import MotionClipOptions
from repflow_mm.datasets.motion_clips.files import make_motion_clips
from repflow_mm.models.layers import RepresentationFlow

CONFIG = 'configs/demo/repflow_r18_motion_clips.py'
MOTIONS = ('left', 'right', 'up', 'down')


@pytest.fixture(scope='module')
def clear_clips(tmp_path_factory):
    """Four clips, one for each direction, of 64x64 pixels and slow motion."""
    folder = tmp_path_factory.mktemp('clear clips')
    options = MotionClipOptions(train=4, val=1, size=64, length=10, speed=(0.8, 0.9), classes=MOTIONS)
    make_motion_clips(folder, options, jobs=1)
    return {motion: next((folder / 'train').glob(f'{motion}_*')) for motion in MOTIONS}


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    init_default_scope('mmaction')
    torch.manual_seed(0)
    cfg = Config.fromfile(CONFIG)
    path = tmp_path_factory.mktemp('checkpoint') / 'epoch_1.pth'
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict(), meta=dict(epoch=1)), path)
    return path


def angle_off(flow, motion):
    """Degrees between the mean of a flow (2, ...) and the motion's direction."""
    expected = dict(right=0, down=math.pi / 2, left=math.pi, up=-math.pi / 2)[motion]
    x, y = flow.flatten(1).mean(1).tolist()
    return abs(math.degrees((math.atan2(y, x) - expected + math.pi) % (2 * math.pi) - math.pi))


@pytest.mark.parametrize('motion', MOTIONS)
def test_the_untrained_layer_sees_the_motion(clear_clips, motion):
    clip = see_clip(FramesViewer(short_side=64), clear_clips[motion])
    assert clip.frames.shape == (10, 3, 64, 64) and clip.scores == []
    assert [track.channel for track in clip.tracks][0] == 'mean' and len(clip.tracks) == 4
    assert angle_off(clip.tracks[0].flow, motion) <= 15
    assert angle_off(clip.classical.flow, motion) <= 15


@pytest.mark.parametrize('motion', MOTIONS)
def test_the_layer_inside_of_a_network_sees_the_motion(clear_clips, checkpoint, motion, tmp_path):
    """Features that random weights compute move as the frames do; the colours are those of the directions."""
    (tmp_path / 'names.txt').write_text('\n'.join('abcdefgh'))
    viewer = NetworkViewer(CONFIG, checkpoint, tmp_path / 'names.txt')
    clip = see_clip(viewer, clear_clips[motion], most=2)
    assert list(clip.layers) == ['block1.flow0'] and len(clip.tracks) == 3
    assert clip.frames.shape == (8, 3, 64, 64) and clip.tracks[0].flow.shape == (2, 7, 16, 16)
    assert angle_off(clip.tracks[0].flow, motion) <= 15
    scores = [score for _, score in clip.scores]
    assert len(scores) == 5 and scores == sorted(scores, reverse=True) and scores[0] < 1
    assert {name for name, _ in clip.scores} < set('abcdefgh')


def test_a_network_sees_what_the_test_pipeline_gives(clear_clips, checkpoint):
    viewer = NetworkViewer(CONFIG, checkpoint)
    sample = viewer.pipeline(dict(filename=str(clear_clips['up']), label=-1, start_index=0, modality='RGB'))
    batch = dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']])
    scores = viewer.recognizer.model.test_step(batch)[0].pred_score
    seen = viewer.see(clear_clips['up'])
    assert torch.equal(seen.frames, sample['inputs'][0].transpose(0, 1))
    assert torch.equal(seen.scores, scores)


def test_settings_are_the_layers_for_a_while():
    layer = RepresentationFlow(2, num_iters=7)
    x = torch.rand(1, 2, 3, 8, 8) * 255
    before = layer(x)
    with SolverSettings(num_iters=3, theta=0.5, lam=0.05).in_place(layer):
        assert (layer.num_iters, layer.theta.item(), layer.tau.item()) == (3, 0.5, 0.25)
        assert not torch.equal(layer(x), before)
    assert layer.num_iters == 7 and torch.equal(layer(x), before) and layer.raw_theta.requires_grad


def test_settings_are_gone_after_an_error():
    layer = RepresentationFlow(2)
    with pytest.raises(RuntimeError), SolverSettings(num_iters=3, tau=1.0).in_place(layer):
        raise RuntimeError
    assert (layer.num_iters, layer.tau.item()) == (20, 0.25)


def test_frames_are_chosen(clear_clips):
    all_frames = FramesViewer(short_side=64).see(clear_clips['left']).frames
    seen = FramesViewer(short_side=64, num_frames=3, start=1, interval=2).see(clear_clips['left'])
    assert torch.equal(seen.frames, all_frames[1:7:2]) and seen.flows['frames'].shape == (2, 3, 2, 64, 64)


def test_a_video_with_too_few_frames(clear_clips):
    with pytest.raises(ValueError, match=r'left_.* has 1 frames from 9 on; flow needs 2'):
        FramesViewer(start=9).see(clear_clips['left'])


@pytest.mark.parametrize('name', ['short_side', 'num_frames', 'interval'])
def test_bad_settings_of_frames(name):
    with pytest.raises(ValueError, match=f'{name} must be >= '):
        FramesViewer(**{name: 0})


def test_missing_files(checkpoint, tmp_path):
    with pytest.raises(FileNotFoundError, match='config none.py does not exist'):
        NetworkViewer('none.py', checkpoint)
    with pytest.raises(FileNotFoundError, match=r'checkpoint none\.pth does not exist'):
        NetworkViewer(CONFIG, 'none.pth')
    for viewer in (NetworkViewer(CONFIG, checkpoint), FramesViewer()):
        with pytest.raises(FileNotFoundError, match=r'video none\.mp4 does not exist'):
            viewer.see('none.mp4')


def test_a_damaged_video(checkpoint, tmp_path):
    (tmp_path / 'a.mp4').write_bytes(b'no video')
    for viewer in (NetworkViewer(CONFIG, checkpoint), FramesViewer()):
        with pytest.raises(ValueError, match=r'a\.mp4'):
            viewer.see(tmp_path / 'a.mp4')


def test_network_without_flow(tmp_path):
    config = 'configs/demo/rgb_r18_motion_clips.py'
    init_default_scope('mmaction')
    cfg = Config.fromfile(config)
    torch.save(MODELS.build(cfg.model).state_dict(), tmp_path / 'rgb.pth')
    with pytest.raises(ValueError, match='Recognizer3D has no RepresentationFlow layer'):
        NetworkViewer(config, tmp_path / 'rgb.pth')


def test_unknown_layer(clear_clips):
    with pytest.raises(ValueError, match=r"layers must be any of \['frames'\], got 'block1.flow0'"):
        see_clip(FramesViewer(), clear_clips['left'], layers=['block1.flow0'])


def test_one_view_of_a_test_pipeline():
    steps = [
        dict(type='SampleFrames', clip_len=32, frame_interval=2, num_clips=10, test_mode=True),
        dict(type='ThreeCrop', crop_size=256),
        dict(type='PackActionInputs'),
    ]
    assert one_view(steps) == [dict(steps[0], num_clips=1), dict(type='CenterCrop', crop_size=256), steps[2]]
    assert steps[0]['num_clips'] == 10, 'the config stays as it is'
    segments = [dict(type='SampleFrames', clip_len=1, num_clips=8)]
    assert one_view(segments) == segments, 'the frames of a 2D network are one view'


def test_classical_flow_is_in_pixels_of_the_frames():
    flow = classical_flow(torch.zeros(4, 3, 16, 24, dtype=torch.uint8), 'dis')
    assert flow.shape == (2, 3, 16, 24) and not flow.any()
