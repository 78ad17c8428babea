"""Flow in the pathways of SlowFast, with its own head, and what is said of what cannot be put together."""

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope

from repflow_mm.apis.built_model import check_model
from repflow_mm.apis.config_names import check_names


def slowfast(flow=None, slow_type='resnet3d', in_channels=128 + 16):
    slow = dict(type=slow_type, depth=18, lateral=True, conv1_kernel=(1, 7, 7), inflate=(0, 0, 1, 1), base_channels=16)
    fast = dict(type='resnet3d', depth=18, lateral=False, conv1_kernel=(5, 7, 7), base_channels=2)
    strides = dict(pretrained=None, conv1_stride_t=1, pool1_stride_t=1)
    backbone = dict(type='ResNet3dSlowFast', pretrained=None, resample_rate=4, speed_ratio=4)
    backbone.update(slow_pathway=slow | strides, fast_pathway=fast | strides)
    return dict(
        type='Recognizer3D',
        backbone=dict(type='WithFlow', backbone=backbone, flow=flow),
        cls_head=dict(type='SlowFastHead', in_channels=in_channels, num_classes=5, average_clips='prob'),
        data_preprocessor=dict(type='ActionDataPreprocessor', mean=[127.5] * 3, std=[50.0] * 3, format_shape='NCTHW'),
    )


def build(cfg):
    init_default_scope('mmaction')
    return MODELS.build(cfg)


@pytest.mark.parametrize('after', ['slow_path.layer2', 'fast_path.layer3', 'input'])
def test_flow_in_a_pathway_trains_and_tests(after):
    model = build(slowfast(dict(after=after, channels=4, num_iters=2, fusion='add')))
    check_model(model, is_trained_anew=True)
    clips = [torch.randint(0, 256, (1, 3, 16, 48, 48), dtype=torch.uint8) for _ in range(2)]
    samples = [ActionDataSample().set_gt_label(label) for label in (1, 4)]
    batch = model.data_preprocessor(dict(inputs=clips, data_samples=samples), training=True)
    model(**batch, mode='loss')['loss_cls'].backward()
    (block,) = model.backbone.flow_blocks.values()
    assert all(parameter.grad is not None for parameter in block.parameters())
    assert block.steps['flow0'].raw_theta.grad.abs() > 0
    with torch.no_grad():
        scores = model.eval().test_step(dict(inputs=clips, data_samples=samples))[0].pred_score
    assert scores.sum().item() == pytest.approx(1)


def test_head_channels_are_those_of_both_pathways():
    with pytest.raises(ValueError, match='in_channels is 128, but the backbone, ResNet3dSlowFast, gives 144 channels'):
        check_model(build(slowfast(in_channels=128)), is_trained_anew=False)


def test_our_backbone_as_a_pathway_is_refused_with_the_way_out():
    message = (
        r"slow_pathway has type 'RepFlowResNet3d', but .* 'resnet3d'; .*flow=dict\(after='slow_path.layer2', ...\)\)$"
    )
    with pytest.raises(ValueError, match=message):
        check_names(Config(dict(model=slowfast(slow_type='RepFlowResNet3d'))), ('train',))
    check_names(Config(dict(model=slowfast())), ())


def test_slowfasts_head_on_one_pathway_is_refused():
    cfg = slowfast()
    cfg['backbone'] = dict(type='RepFlowResNet', depth=18, num_segments=8)
    with pytest.raises(
        ValueError, match='is a SlowFastHead, which takes two pathways, but the backbone, RepFlowResNet'
    ):
        check_model(build(cfg), is_trained_anew=False)
