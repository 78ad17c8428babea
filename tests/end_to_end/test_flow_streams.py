"""Flow streams: what a network on TV-L1 flow learns, and two streams from the command line to their fusion."""

import json

import pytest
import torch
from helpers import ROOT, shrink_config
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope

from repflow_mm.apis import test as test_api
from repflow_mm.apis import train as train_api
from repflow_mm.datasets.motion_clips.clips import MotionClipOptions, render_clip
from repflow_mm.evaluation.fusion import check_same_samples, fuse, load_scores, top_k

DIRECTIONS = MotionClipOptions(train=64, val=32, size=32, length=4, classes=('left', 'right', 'up', 'down'))


def clips_of(split, count):
    """Clips (1, 3, T, H, W) of textures that move left, right, up and down in turn, and their labels."""
    clips = [torch.from_numpy(render_clip(DIRECTIONS, split, index)) for index in range(count)]  # (T, H, W, 3)
    samples = [ActionDataSample().set_gt_label(index % 4) for index in range(count)]
    return [clip.permute(3, 0, 1, 2)[None] for clip in clips], samples


@pytest.mark.parametrize('network', ['RepFlowResNet', 'RepFlowResNet3d'])
def test_flow_stream_learns_the_direction_of_motion(network):
    init_default_scope('mmaction')
    torch.manual_seed(0)
    backbone = dict(type=network, depth=18, in_channels=2, num_segments=3, num_stages=1)
    backbone.update(out_indices=(0,), dilations=(1,))
    backbone.update(strides=(1,)) if network == 'RepFlowResNet' else backbone.update(
        spatial_strides=(1,), temporal_strides=(1,), with_pool2=False
    )
    model = MODELS.build(
        dict(
            type='Recognizer3D',
            backbone=backbone,
            cls_head=dict(type='I3DHead', num_classes=4, in_channels=64, dropout_ratio=0, average_clips='prob'),
            data_preprocessor=dict(type='FlowDataPreprocessor', bound=4, parameters=dict(num_scales=2, outer_iters=1)),
        )
    )
    model.init_weights()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    clips, samples = clips_of('train', 64)
    for first in [0, 16, 32, 48] * 2:
        batch = dict(inputs=clips[first : first + 16], data_samples=samples[first : first + 16])
        data = model.data_preprocessor(batch, True)
        optimizer.zero_grad()
        model(**data, mode='loss')['loss_cls'].backward()
        optimizer.step()
    model.eval()
    clips, samples = clips_of('val', 32)
    with torch.no_grad():
        found = model.test_step(dict(inputs=clips, data_samples=samples))
    right = [int(sample.pred_label) == int(sample.gt_label) for sample in found]
    assert sum(right) >= 30


STACKS = 'configs/tiny_kinetics/tvl1-stack5_imagenet-pretrained-r34_1xb24-5x1x3-100e_tiny-kinetics-flow.py'
STREAMS = {
    'rgb': ('configs/demo/rgb_r18_motion_clips.py', ()),
    'on the fly': ('configs/demo/flow_r18_motion_clips.py', ('--amp',)),
    'from disk': (STACKS, ()),
}


@pytest.fixture(scope='module')
def streams(motion_clips, motion_flow, tmp_path_factory):
    """Folders of streams that ``tools/train.py`` trained and ``tools/test.py --dump`` tested on the same clips."""
    folders = {}
    for name, (config, flags) in STREAMS.items():
        folder = folders[name] = tmp_path_factory.mktemp('stream')
        cfg = Config.fromfile(ROOT / config)
        shrink_config(cfg, motion_clips, folder, motion_flow)
        for mode in ('train', 'val', 'test'):
            cfg[f'{mode}_dataloader'].dataset.update(indices=None, num_classes=8)
        cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=1)
        cfg.model.cls_head.num_classes = 8
        cfg.dump(folder / 'small.py')
        common = [str(folder / 'small.py'), '--work-dir', str(folder)]
        experiment = f'experiment_name={folder.name}'
        train_api.main([*common, '--seed', '0', *flags, '--cfg-options', experiment])
        checkpoint, dump = str(folder / 'epoch_1.pth'), str(folder / 'scores.pkl')
        test_api.main([common[0], checkpoint, *common[1:], '--dump', dump, '--cfg-options', f'{experiment}_test'])
    return folders


def test_streams_have_the_same_samples_and_fuse(streams):
    scores = {name: load_scores(folder / 'scores.pkl') for name, folder in streams.items()}
    assert [run.of_frames for run in scores.values()] == [False, False, True]
    check_same_samples(scores)
    fused = fuse(list(scores.values()))
    assert fused.shape == (8, 8)
    assert torch.allclose(torch.from_numpy(fused).sum(1), torch.ones(8, dtype=torch.float64), atol=1e-4)
    assert 0 <= top_k(fused, scores['rgb'].labels) <= 1


def test_accuracy_of_the_dump_is_that_of_the_test(streams):
    for folder in streams.values():
        (result,) = (path for path in folder.glob('*/*.json') if path.stem == path.parent.name)
        scores = load_scores(folder / 'scores.pkl')
        assert json.loads(result.read_text())['acc/top1'] == pytest.approx(top_k(scores.probabilities, scores.labels))
