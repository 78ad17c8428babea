"""Flow blocks in MMAction2's backbones: each trains in its recognizer and starts as the network without flow."""

import copy
import re
import sys
from types import SimpleNamespace

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope

import repflow_mm.models  # noqa: F401
from repflow_mm.ops.limits import FLOPS_PER_PIXEL, FLOPS_PER_PIXEL_ITERATION
from repflow_mm.profiling.network import profile_network
from repflow_mm.profiling.training import STEP_PARTS, divided_step

FLOW = dict(channels=4, num_iters=2, fusion='add', zero_init_norm=True)
CLASSES = 3
TWO_STAGES = dict(num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(1,))
TWO_STAGES_3D = dict(
    pretrained=None, num_stages=2, spatial_strides=(1, 2), temporal_strides=(1, 1), dilations=(1, 1), out_indices=(1,)
)
PATHWAY = dict(TWO_STAGES_3D, type='resnet3d', depth=18, conv1_stride_t=1, pool1_stride_t=1)
TIMESFORMER = dict(
    type='TimeSformer', num_frames=4, img_size=32, patch_size=8, embed_dims=16, num_heads=2, num_transformer_layers=2
)

# Name: backbone, places of a block, and the head with its channels.
FOLDED = {
    'ResNet': (dict(type='ResNet', depth=18, **TWO_STAGES), ('layer1', 'maxpool', 'input'), (128, 'TSNHead')),
    'ResNetTSM': (dict(type='ResNetTSM', depth=18, num_segments=4, pretrained2d=False), ('layer2',), (512, 'TSMHead')),
    'ResNetTSM-pool': (
        dict(type='ResNetTSM', depth=18, num_segments=4, pretrained2d=False, temporal_pool=True),
        ('layer2',),
        (512, 'TSMHead'),
    ),
    'ResNetTIN': (dict(type='ResNetTIN', depth=18, num_segments=4, pretrained2d=False), ('layer2',), (512, 'TSMHead')),
    'TANet': (dict(type='TANet', depth=50, num_segments=4, **TWO_STAGES), ('layer1',), (512, 'TSMHead')),
    'MobileNetV2TSM': (dict(type='MobileNetV2TSM', num_segments=4, pretrained2d=False), ('layer3',), (1280, 'TSMHead')),
}
CLIPS = {
    'C2D': (dict(type='C2D', depth=18, **TWO_STAGES), ('layer2', 'maxpool3d_2'), (128, 'I3DHead')),
    'ResNet3d': (dict(type='ResNet3d', depth=18, **TWO_STAGES_3D), ('layer1', 'input'), (128, 'I3DHead')),
    'ResNet3dSlowOnly': (dict(type='ResNet3dSlowOnly', depth=50, **TWO_STAGES_3D), ('layer1',), (512, 'I3DHead')),
    'ResNet3dSlowFast': (
        dict(
            type='ResNet3dSlowFast',
            resample_rate=4,
            speed_ratio=4,
            slow_pathway=dict(PATHWAY, lateral=True, conv1_kernel=(1, 7, 7), inflate=(0, 0)),
            fast_pathway=dict(PATHWAY, lateral=False, base_channels=8, conv1_kernel=(5, 7, 7)),
        ),
        ('slow_path.layer1', 'fast_path.layer1'),
        (144, 'SlowFastHead'),
    ),
    'ResNet3dCSN': (
        dict(type='ResNet3dCSN', depth=50, pretrained2d=False, norm_eval=True, bn_frozen=True, **TWO_STAGES_3D),
        ('layer1',),
        (512, 'I3DHead'),
    ),
    'ResNet2Plus1d': (
        dict(type='ResNet2Plus1d', depth=18, pretrained2d=False, conv_cfg=dict(type='Conv2plus1d'), **TWO_STAGES_3D),
        ('layer1',),
        (128, 'I3DHead'),
    ),
    'C3D': (dict(type='C3D', out_dim=2048), ('pool2',), (4096, 'I3DHead')),
    'X3D': (dict(type='X3D', gamma_w=1, gamma_b=2.25, gamma_d=1), ('layer2',), (432, 'X3DHead')),
    'SwinTransformer3D': (
        dict(
            type='SwinTransformer3D',
            arch=dict(embed_dims=16, depths=[2, 2], num_heads=[2, 2]),
            pretrained2d=False,
            window_size=(2, 4, 4),
            out_indices=(1,),
        ),
        ('layers.0', 'layers.0.blocks.1', 'patch_embed'),
        (32, 'I3DHead'),
    ),
    'UniFormer': (
        dict(type='UniFormer', depth=[1] * 4, img_size=32, embed_dim=[16] * 4, head_dim=8, pretrained2d=False),
        ('blocks2.0', 'patch_embed2'),
        (16, 'I3DHead'),
    ),
    'UniFormerV2': (
        dict(
            type='UniFormerV2',
            input_resolution=32,
            patch_size=8,
            width=16,
            layers=2,
            heads=2,
            t_size=8,
            return_list=[1],
            n_layers=1,
            n_dim=16,
            n_head=2,
            mlp_dropout=[0.5],
            clip_pretrained=False,
        ),
        ('transformer.resblocks.0',),
        (16, 'TimeSformerHead'),
    ),
    'MViT': (
        dict(
            type='MViT',
            arch=dict(embed_dims=16, num_layers=3, num_heads=1, downscale_indices=[1]),
            spatial_size=32,
            temporal_size=8,
        ),
        ('blocks.0', 'blocks.1'),
        (32, 'MViTHead'),
    ),
    'MViT-without-class-token': (
        dict(
            type='MViT',
            arch=dict(embed_dims=16, num_layers=3, num_heads=1, downscale_indices=[1]),
            spatial_size=32,
            temporal_size=8,
            with_cls_token=False,
            output_cls_token=False,
        ),
        ('blocks.0',),
        None,  # no head of MMAction2's takes it
    ),
    'TimeSformer': (TIMESFORMER, ('transformer_layers.layers.0',), (16, 'TimeSformerHead')),
    'TimeSformer-joint': (
        dict(TIMESFORMER, attention_type='joint_space_time'),
        ('transformer_layers.layers.0',),
        (16, 'TimeSformerHead'),
    ),
    'TimeSformer-space': (
        dict(TIMESFORMER, attention_type='space_only'),
        ('transformer_layers.layers.0',),
        (16, 'TimeSformerHead'),
    ),
    'VisionTransformer': (
        dict(type='VisionTransformer', img_size=32, patch_size=8, embed_dims=16, depth=2, num_heads=2, num_frames=8),
        ('blocks.0',),
        (16, 'TimeSformerHead'),
    ),
}
FRAMES = {'C3D': 16, 'TimeSformer': 4, 'TimeSformer-joint': 4, 'TimeSformer-space': 4}
CASES = [(name, place) for name, (_, places, _) in {**FOLDED, **CLIPS}.items() for place in places]
FIRST_PLACES = [(name, places[0]) for name, (_, places, head) in {**FOLDED, **CLIPS}.items() if head]


@pytest.fixture(autouse=True)
def surroundings(monkeypatch, request):
    init_default_scope('mmaction')
    if 'ResNetTIN' in request.node.name:
        monkeypatch.setitem(sys.modules, 'mmcv.ops', SimpleNamespace(tin_shift=shift))


def shift(data, offsets):
    """What mmcv's operator for GPUs computes: (N, T, C, H*W) shifted by each group's whole number of frames."""
    num_frames, group = data.shape[1], data.shape[2] // offsets.shape[1]
    source = torch.arange(num_frames, device=data.device)[None, None] - offsets[..., None]  # (N, groups, T)
    inside = (source >= 0) & (source < num_frames)
    source = source.clamp(0, num_frames - 1).repeat_interleave(group, 1).transpose(1, 2)  # (N, T, C)
    inside = inside.repeat_interleave(group, 1).transpose(1, 2)
    return data.gather(1, source[..., None].expand_as(data).long()) * inside[..., None]


def backbone_of(name, place=None):
    """The config of a backbone, with flow after ``place`` if it is given."""
    backbone = copy.deepcopy({**FOLDED, **CLIPS}[name][0])
    if place is None:
        return backbone
    num_segments = 4 if name in FOLDED else None
    return dict(type='WithFlow', backbone=backbone, flow=dict(FLOW, after=place), num_segments=num_segments)


def build_backbone(name, place=None):
    torch.manual_seed(0)
    return MODELS.build(backbone_of(name, place))


def batch_of(name):
    """Two clips as the backbone takes them."""
    shape = (2 * 4, 3, 32, 32) if name in FOLDED else (2, 3, FRAMES.get(name, 8), 32, 32)
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def tensors(output):
    return [output] if isinstance(output, torch.Tensor) else [x for item in output for x in tensors(item)]


@pytest.mark.parametrize('name, place', CASES, ids=lambda value: value.replace('.', '_'))
def test_starts_as_the_network_without_flow_and_takes_its_checkpoints(name, place):
    plain, network = build_backbone(name), build_backbone(name, place)
    plain.train(False), network.train(False)
    assert type(network) is type(plain)
    keys = network.load_state_dict(plain.state_dict(), strict=False)
    assert not keys.unexpected_keys
    assert all(key.startswith(f'flow_blocks.{place.replace(".", "_")}.') for key in keys.missing_keys)
    x = batch_of(name)
    with torch.no_grad():
        outputs, expected = tensors(network(x)), tensors(plain(x))
    assert len(outputs) == len(expected)
    assert all(torch.equal(output, other) for output, other in zip(outputs, expected))


@pytest.mark.parametrize('name, place', CASES, ids=lambda value: value.replace('.', '_'))
def test_flow_of_a_clip_depends_on_no_other_clip_and_changes_the_features(name, place):
    network = build_backbone(name, place).eval()
    x = batch_of(name)
    changed = x.clone()
    changed[: len(x) // 2] = x[: len(x) // 2].flip(-1) * 2 + 1
    with torch.no_grad():
        without = tensors(network(x))
        torch.nn.init.ones_(network.flow_blocks[place.replace('.', '_')].norm.weight)
        outputs, others = tensors(network(x)), tensors(network(changed))
    assert any((output != plain).any() for output, plain in zip(outputs, without))
    for output, other in zip(outputs, others):
        half, scale = len(output) // 2, output.abs().max().item()
        torch.testing.assert_close(output[half:], other[half:], rtol=0, atol=1e-4 * scale)
        assert (output[:half] - other[:half]).abs().max() > 1e-2 * scale


def build_recognizer(name, place):
    in_channels, head = {**FOLDED, **CLIPS}[name][2]
    head = dict(type=head, num_classes=CLASSES, in_channels=in_channels, average_clips='prob')
    if head['type'] == 'TSMHead':
        head.update(num_segments=4, temporal_pool=name == 'ResNetTSM-pool')
    if name == 'C3D':
        head.update(spatial_type=None)
    preprocessor = dict(
        type='ActionDataPreprocessor',
        mean=[127.5] * 3,
        std=[50.0] * 3,
        format_shape='NCHW' if name in FOLDED else 'NCTHW',
    )
    kind = 'Recognizer2D' if name in FOLDED else 'Recognizer3D'
    torch.manual_seed(0)
    model = dict(type=kind, backbone=backbone_of(name, place), cls_head=head, data_preprocessor=preprocessor)
    model = MODELS.build(model)
    model.init_weights()
    return model


@pytest.mark.parametrize('name, place', FIRST_PLACES, ids=lambda value: value.replace('.', '_'))
def test_trains_two_steps_and_tests_a_clip(name, place):
    model = build_recognizer(name, place)
    block = model.backbone.flow_blocks[place.replace('.', '_')]
    assert not block.norm.weight.any(), 'init_weights must keep gamma = 0'
    shape = (4, 3, 32, 32) if name in FOLDED else (1, 3, FRAMES.get(name, 8), 32, 32)
    inputs = [torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(i)).byte() for i in range(2)]
    samples = [ActionDataSample().set_gt_label(label) for label in (0, 1)]
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01))
    trained = {}
    for key, parameter in block.named_parameters():
        parameter.register_post_accumulate_grad_hook(lambda leaf, key=key: trained.update({key: leaf.grad.any()}))
    model.train()
    for _ in range(2):
        losses = model.train_step(dict(inputs=inputs, data_samples=samples), optimizer)
        assert losses['loss'].isfinite()
    assert set(trained) == {key for key, _ in block.named_parameters()} and all(trained.values())
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    result = model.eval().test_step(dict(inputs=inputs[:1], data_samples=samples[:1]))
    assert result[0].pred_score.shape == (CLASSES,) and result[0].pred_score.isfinite().all()
    check_profile(model, f'backbone.flow_blocks.{place.replace(".", "_")}', inputs, samples, optimizer)


def check_profile(model, block, inputs, samples, optimizer):
    """A profile gives every parameter, operation and second to one part, and knows the flow block among them."""
    batch = dict(inputs=inputs, data_samples=samples)
    profile = profile_network(model, batch, repeats=1)
    assert sum(profile.parameters.values()) == sum(parameter.numel() for parameter in model.parameters())
    assert profile.parameters[block] + profile.parameters[f'{block} solver'] == sum(
        parameter.numel() for parameter in model.get_submodule(block).parameters()
    )
    stages = [name for name in profile.seconds if name.startswith('backbone.') and name not in profile.flow_names]
    assert len(stages) > 1 and all(profile.seconds[name] > 0 for name in (*stages, block, f'{block} solver'))
    assert sum(profile.operations[name] for name in stages) > 0.9 * (
        sum(profile.operations.values()) - sum(profile.operations[name] for name in profile.flow_names)
    )
    assert profile.operations[f'{block} solver'] % (FLOPS_PER_PIXEL + 2 * FLOPS_PER_PIXEL_ITERATION) == 0
    assert profile.operations[f'{block} solver'] > 0 < profile.operations[block]
    parts = divided_step(model.train(), optimizer, batch)
    assert all(parts[name] > 0 for name in STEP_PARTS)


def test_tsm_takes_weights_of_images_beside_flow(tmp_path):
    """A file with torchvision's names, which upstream renames for the shifted network."""
    tsm = dict(type='ResNetTSM', depth=18, num_segments=4, pretrained2d=False)
    source = MODELS.build(tsm)
    source.init_weights()
    weights = {}
    for key, value in source.state_dict().items():
        key = re.sub(r'conv(\d)\.bn\.', r'bn\1.', re.sub(r'conv(\d)\.conv\.', r'conv\1.', key.replace('.net', '')))
        weights[key.replace('downsample.conv', 'downsample.0').replace('downsample.bn', 'downsample.1')] = value + 0.01
    torch.save(weights, tmp_path / 'r18.pth')
    tsm |= dict(pretrained2d=True, pretrained=str(tmp_path / 'r18.pth'))
    flow = dict(after='layer2', channels=4, fusion='add', zero_init_norm=True)
    networks = [MODELS.build(cfg) for cfg in (tsm, dict(type='WithFlow', backbone=tsm, flow=flow))]
    for network in networks:
        network.init_weights()
        network.eval()
    for key, value in source.state_dict().items():
        torch.testing.assert_close(networks[1].state_dict()[key], value + 0.01 if value.is_floating_point() else value)
    x = torch.randn(4, 3, 32, 32)
    torch.testing.assert_close(networks[1](x), networks[0](x))
