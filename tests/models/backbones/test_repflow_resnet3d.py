import pytest
import torch
from mmaction.models.backbones import ResNet2Plus1d, ResNet3d
from mmaction.registry import MODELS

from repflow_mm.models import RepFlowResNet, RepFlowResNet2Plus1d, RepFlowResNet3d

TWO_STAGES = dict(num_stages=2, out_indices=(1,), dilations=(1, 1))
TWO_STAGES_3D = dict(TWO_STAGES, spatial_strides=(1, 2), temporal_strides=(1, 1), with_pool2=False)
SMALL = dict(after='block3', channels=4, num_iters=2)
FCF = ('flow', 'conv', 'flow')
PLACES = ('input', 'block1', 'block2', 'block3')
SEQUENCES = [(('flow',), 1), (('flow', 'flow'), 2), (FCF, 2), ((*FCF, 'conv', 'flow'), 3)]

BACKBONES = {
    '2d': lambda flow, **kwargs: RepFlowResNet(18, num_segments=6, flow=flow, strides=(1, 2), **TWO_STAGES, **kwargs),
    '3d': lambda flow, **kwargs: RepFlowResNet3d(18, num_segments=6, flow=flow, **TWO_STAGES_3D, **kwargs),
    '3d-3x1x1': lambda flow, **kwargs: RepFlowResNet3d(50, num_segments=6, flow=flow, **TWO_STAGES_3D, **kwargs),
    '2plus1d': lambda flow, **kwargs: RepFlowResNet2Plus1d(18, num_segments=6, flow=flow, **TWO_STAGES_3D, **kwargs),
}


@pytest.fixture(params=BACKBONES)
def build(request):
    return BACKBONES[request.param]


@pytest.mark.parametrize('steps, taken', SEQUENCES, ids=['flow', 'flow-flow', 'fcf', 'fcfcf'])
def test_output_length_of_stage_sequences(build, steps, taken):
    model = build(dict(SMALL, steps=steps)).eval()
    assert model(torch.rand(2, 3, 6, 32, 32)).shape[2] == 6 - taken


@pytest.mark.parametrize('place', PLACES)
def test_flow_fits_after_every_place(build, place):
    model = build(dict(SMALL, after=place))
    assert model(torch.rand(1, 3, 6, 32, 32)).shape[2] == 5


@pytest.mark.parametrize('cls', [RepFlowResNet, RepFlowResNet3d, RepFlowResNet2Plus1d])
def test_all_five_blocks_take_a_flow_block(cls):
    flow = [dict(SMALL, after=f'block{i}') for i in (1, 4, 5)]
    kwargs = {} if cls is RepFlowResNet else dict(with_pool2=False)
    assert cls(18, num_segments=6, flow=flow, **kwargs).eval()(torch.rand(1, 3, 6, 64, 64)).shape == (1, 512, 3, 2, 2)


@pytest.mark.parametrize('temporal_strides, least', [((1, 1, 1, 1), 3), ((1, 2, 2, 2), 5), ((1, 1, 2, 1), 3)])
@pytest.mark.parametrize('cls', [RepFlowResNet3d, RepFlowResNet2Plus1d])
def test_least_clip_length_follows_from_temporal_strides(cls, temporal_strides, least):
    settings = dict(flow=dict(SMALL, steps=FCF), temporal_strides=temporal_strides, with_pool2=False)
    message = f"num_segments must be > {least - 1} for the flow blocks, got {least - 1}: T = 2 after 'block3'"
    with pytest.raises(ValueError, match=message):
        cls(18, num_segments=least - 1, **settings)
    assert cls(18, num_segments=least, **settings).eval()(torch.rand(1, 3, least, 32, 32)).shape[2] == 1


@pytest.mark.parametrize(
    'stem, least',
    [
        (dict(conv1_kernel=(5, 7, 7), conv1_stride_t=2, pool1_stride_t=2), 9),
        (dict(conv1_kernel=(5, 7, 7), conv1_stride_t=2, pool1_stride_t=2, with_pool1=False), 5),
        (dict(with_pool2=True), 6),
    ],
)
def test_least_clip_length_follows_from_stem_and_pooling(stem, least):
    settings = dict(TWO_STAGES_3D, flow=dict(SMALL, steps=FCF), **{'with_pool2': False, **stem})
    with pytest.raises(ValueError, match=f'num_segments must be > {least - 1} for the flow blocks, got 2'):
        RepFlowResNet3d(18, num_segments=2, **settings)
    assert RepFlowResNet3d(18, num_segments=least, **settings).eval()(torch.rand(1, 3, least, 32, 32)).shape[2] == 1


def test_a_short_clip_of_unknown_length_is_an_error_of_the_block():
    model = RepFlowResNet3d(18, flow=SMALL, **TWO_STAGES_3D)
    with pytest.raises(ValueError, match='more than 1 frames for the flow block, got T = 1'):
        model(torch.rand(1, 3, 1, 32, 32))


@pytest.mark.parametrize('cls, base', [(RepFlowResNet3d, ResNet3d), (RepFlowResNet2Plus1d, ResNet2Plus1d)])
def test_without_flow_it_is_mmactions_network(cls, base):
    conv_cfg = cls(18, **TWO_STAGES_3D).conv_cfg
    ours, theirs = cls(18, **TWO_STAGES_3D), base(18, pretrained2d=False, conv_cfg=conv_cfg, **TWO_STAGES_3D)
    theirs.load_state_dict(ours.state_dict())
    theirs.train(False)
    x = torch.rand(1, 3, 4, 32, 32)
    assert torch.equal(ours.eval()(x), theirs(x))


def test_pools_and_several_outputs_are_mmactions():
    settings = dict(TWO_STAGES_3D, out_indices=(0, 1), with_pool2=True, pool1_stride_t=2)
    ours, theirs = RepFlowResNet3d(18, **settings), ResNet3d(18, **settings)
    theirs.load_state_dict(ours.state_dict())
    theirs.train(False)
    x = torch.rand(1, 3, 8, 32, 32)
    assert all(torch.equal(a, b) for a, b in zip(ours.eval()(x), theirs(x), strict=True))


@pytest.mark.parametrize('place', PLACES)
@pytest.mark.parametrize('steps', [('flow',), FCF], ids='-'.join)
def test_residual_block_with_gamma_0_starts_as_the_rgb_network(place, steps):
    flow = dict(SMALL, after=place, steps=steps, fusion='add', zero_init_norm=True)
    model, rgb = BACKBONES['2d'](flow).eval(), BACKBONES['2d'](None).eval()
    assert not rgb.load_state_dict(model.state_dict(), strict=False).missing_keys
    frames = torch.rand(2 * 6, 3, 32, 32)
    assert torch.equal(model(frames), rgb(frames))


def test_residual_block_with_gamma_0_starts_as_the_mean_of_neighbouring_frames(build):
    model = build(dict(SMALL, steps=FCF, fusion='add', zero_init_norm=True)).eval()
    rgb = build(None).eval()
    rgb.load_state_dict(model.state_dict(), strict=False)
    x = torch.rand(2, 3, 6, 32, 32)
    features = rgb(x)
    assert torch.equal(model(x), (features[:, :, :-2] + features[:, :, 1:-1] + features[:, :, 2:]) / 3)


@pytest.mark.parametrize('fusion', ['none', 'add', 'concat'])
def test_every_parameter_gets_a_gradient(build, fusion):
    model = build(dict(SMALL, steps=FCF, fusion=fusion))
    model(torch.rand(2, 3, 6, 32, 32)).square().mean().backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


def test_non_local_blocks_are_mmactions_and_get_gradients():
    non_local_cfg = dict(sub_sample=True, use_scale=False, mode='dot_product')
    settings = dict(TWO_STAGES_3D, non_local=((0, 0, 0), (0, 1, 0, 1)), non_local_cfg=non_local_cfg)
    model = RepFlowResNet3d(50, num_segments=6, flow=dict(SMALL, after='block2'), **settings)
    assert [name for name, _ in model.named_modules() if name.endswith('non_local_block')] == [
        'layer2.1.non_local_block',
        'layer2.3.non_local_block',
    ]
    model(torch.rand(2, 3, 6, 32, 32)).square().mean().backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


def test_flow_block_keeps_gamma_0_when_weights_are_initialised(build):
    model = build(dict(SMALL, fusion='add', zero_init_norm=True))
    model.init_weights()
    assert not model.flow_blocks['block3'].norm.weight.any()


def test_train_and_eval_return_the_network_and_spare_the_flow_block_from_freezing(build):
    model = build(SMALL, frozen_stages=2)
    assert model.eval() is model and model.train() is model
    assert not any(parameter.requires_grad for parameter in model.layer2.parameters())
    assert all(parameter.requires_grad for parameter in model.flow_blocks.parameters())
    assert model.flow_blocks['block3'].norm.training


def test_norm_eval_concerns_the_flow_blocks_norm(build):
    assert not build(SMALL, norm_eval=True).train().flow_blocks['block3'].norm.training


@pytest.mark.parametrize('name', ['RepFlowResNet3d', 'RepFlowResNet2Plus1d'])
def test_registry_builds_it(name):
    assert type(MODELS.build(dict(type=name, depth=18, flow=SMALL))).__name__ == name


@pytest.mark.parametrize('cls', [RepFlowResNet3d, RepFlowResNet2Plus1d])
@pytest.mark.parametrize(
    'settings, error, message',
    [
        (dict(depth=20), ValueError, r'depth must be one of \(18, 34, 50, 101, 152\), got 20'),
        (
            dict(flow=dict(after='layer1')),
            ValueError,
            r"one of \('input', 'block1', .*\) in this backbone, got 'layer1'",
        ),
        (dict(flow=dict(after='block4'), **TWO_STAGES_3D), ValueError, "'block3'\\) in this backbone, got 'block4'"),
        (dict(flow=[SMALL, SMALL]), ValueError, "two blocks after 'block3'; for flow of flow"),
        (dict(flow='block3'), TypeError, "flow must be None, a dict or a list of dicts, got 'block3'"),
        (
            dict(flow=dict(SMALL, steps=('flow', 'pool'))),
            ValueError,
            r"from \('flow', 'conv'\), got \('flow', 'pool'\)",
        ),
    ],
)
def test_bad_settings(cls, settings, error, message):
    with pytest.raises(error, match=message):
        cls(**{'depth': 18, **settings})


def test_bad_settings_of_the_factorised_network():
    with pytest.raises(ValueError, match='pretrained2d must be False, .*, got True'):
        RepFlowResNet2Plus1d(18, pretrained2d=True)
    with pytest.raises(ValueError, match="conv_cfg must be of type 'Conv2plus1d', got {'type': 'Conv3d'}"):
        RepFlowResNet2Plus1d(18, conv_cfg=dict(type='Conv3d'))


def test_folded_frames_are_refused():
    with pytest.raises(ValueError, match=r'x must be \(N, C, T, H, W\), got shape \(8, 3, 32, 32\)'):
        RepFlowResNet3d(18, **TWO_STAGES_3D)(torch.rand(8, 3, 32, 32))
