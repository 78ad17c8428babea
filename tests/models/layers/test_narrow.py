"""Layers that make MMAction2's 2D networks narrower."""

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope

import repflow_mm.models  # noqa: F401
from repflow_mm.models.layers import NarrowBatchNorm2d, NarrowConv2d

QUARTER = dict(
    conv_cfg=dict(type='NarrowConv2d', width=0.25),
    norm_cfg=dict(type='NarrowBatchNorm2d', width=0.25),
)


def build(**cfg):
    init_default_scope('mmaction')
    torch.manual_seed(0)
    network = MODELS.build(cfg)
    network.init_weights()
    return network


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_a_narrow_resnet_has_the_weights_of_one_whose_width_can_be_set():
    """ResNet3d with convolutions over space alone is a 2D ResNet."""
    settings = dict(inflate=(0, 0, 0, 0), conv1_kernel=(1, 7, 7), pretrained=None)
    settable = build(type='ResNet3d', depth=18, base_channels=16, **settings)
    narrow = build(type='ResNet', depth=18, **QUARTER)
    expected = {
        name: tuple(value.squeeze(2).shape if value.ndim == 5 else value.shape)
        for name, value in settable.state_dict().items()
    }
    assert {name: tuple(value.shape) for name, value in narrow.state_dict().items()} == expected


@pytest.mark.parametrize(
    ('cfg', 'channels'),
    [(dict(type='ResNetTSM', depth=18, pretrained2d=False), 128), (dict(type='TANet', depth=50), 512)],
    ids=['TSM', 'TANet'],
)
def test_narrow_networks_compute_and_learn(cfg, channels):
    network = build(**cfg, num_segments=8, **QUARTER)
    share = count(network) / count(build(**cfg, num_segments=8))
    assert share == pytest.approx(1 / 16, rel=0.05)
    features = network(torch.rand(8, 3, 32, 32))
    assert features.shape == (8, channels, 1, 1)
    features.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_tin_takes_its_channels_from_narrow_layers():
    """Its shift needs full MMCV, so no clip goes through it here."""
    network = build(type='ResNetTIN', depth=18, num_segments=8, pretrained2d=False, **QUARTER)
    shifts = [network.get_submodule(f'layer{k}.0.conv1.conv') for k in range(1, 5)]
    assert [shift.net1.in_channels for shift in shifts] == [16, 16, 32, 64]
    assert [shift.net2.weight.shape[:2] for shift in shifts] == [(16, 16), (32, 16), (64, 32), (128, 64)]


def test_narrow_networks_start_as_wide_ones_do():
    narrow, wide = (build(type='ResNet', depth=18, **width).state_dict() for width in (QUARTER, {}))
    for name in ('conv1.conv.weight', 'layer3.0.conv1.conv.weight', 'layer3.0.downsample.conv.weight'):
        fan_out = narrow[name].shape[0] * narrow[name][0, 0].numel()
        assert narrow[name].std() == pytest.approx((2 / fan_out) ** 0.5, rel=0.05)
        assert wide[name].std() == pytest.approx((2 / (4 * fan_out)) ** 0.5, rel=0.05)
    assert all(
        torch.equal(value, torch.ones_like(value)) for name, value in narrow.items() if name.endswith('bn.weight')
    )


def test_flow_finds_the_channels_of_a_narrow_network():
    flow = dict(after='layer1', channels=4, num_iters=2, fusion='add')
    backbone = dict(type='ResNetTSM', depth=18, num_segments=4, pretrained2d=False, **QUARTER)
    network = build(type='WithFlow', backbone=backbone, flow=flow)
    assert network.flow_blocks.layer1.reduce.in_channels == 16
    assert network(torch.rand(4, 3, 32, 32)).shape == (4, 128, 1, 1)


def test_groups_are_shared_out_as_channels_are():
    depthwise = NarrowConv2d(64, 64, 3, width=0.25, groups=64)
    assert (depthwise.in_channels, depthwise.out_channels, depthwise.groups) == (16, 16, 16)
    grouped = NarrowConv2d(64, 128, 3, width=0.5, groups=32)
    assert (grouped.in_channels, grouped.out_channels, grouped.groups) == (32, 64, 16)


def test_the_input_of_the_network_keeps_its_channels():
    assert NarrowConv2d(3, 64, 7, width=0.25).weight.shape == (16, 3, 7, 7)
    assert NarrowConv2d(10, 64, 7, width=0.25, inputs=10).weight.shape == (16, 10, 7, 7)


@pytest.mark.parametrize(
    ('build', 'message'),
    [
        (
            lambda: NarrowConv2d(10, 64, 7, width=0.25),
            r'width times in_channels .* whole number > 0, got 0.25 \* 10 = 2.5',
        ),
        (lambda: NarrowConv2d(3, 64, 7, width=0.3), r'width times out_channels .* got 0.3 \* 64 = 19.2'),
        (lambda: NarrowConv2d(64, 64, 3, width=0.25, groups=2), r'width times groups .* got 0.25 \* 2 = 0.5'),
        (lambda: NarrowBatchNorm2d(64, width=0), r'width times num_features .* got 0 \* 64 = 0'),
    ],
)
def test_shares_that_are_no_whole_numbers_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
