"""What is said of flow that cannot be inserted, and of inputs that do not fit."""

import pytest
import torch
from mmaction.registry import MODELS
from small_networks import FLOW, Plain, T, frames, resnet
from torch import nn

from repflow_mm.models import insert_flow


class Both(nn.Module):
    """Two outputs."""

    def forward(self, x):
        return x, x


@pytest.mark.parametrize(
    'flow, error, message',
    [
        ('layer1', TypeError, "flow must be None, a dict or a list of dicts, got 'layer1'"),
        (dict(after='layr2'), ValueError, r"a module of ResNet, got 'layr2'; the nearest are \['layer2'"),
        (dict(channels=4), ValueError, "must be 'input' or a module of ResNet, got None"),
        ([FLOW, FLOW], ValueError, "flow has two blocks after 'layer1'; for flow of flow use one block's 'steps'"),
        (dict(FLOW, chanels=4), ValueError, "flow has no argument 'chanels', nearest is 'channels'; there are"),
        (dict(FLOW, fusion='mul'), ValueError, "fusion must be one of .* got 'mul'"),
        (dict(FLOW, layout='maps'), ValueError, r"kind must be one of \('frames', 'clips', 'tokens'\), got 'maps'"),
        (
            dict(FLOW, layout=dict(kind='frames', order='thw')),
            ValueError,
            r"settings of the layout 'frames' are \('channels_last',\), got {'order': 'thw'}",
        ),
        (
            dict(FLOW, layout=dict(kind='tokens', order='twh')),
            ValueError,
            r"order of the layout 'tokens' must be one of \('thw', 'hwt', 'hw'\), got 'twh'",
        ),
        (
            dict(FLOW, layout=dict(kind='tokens', order='thw', grid='stem')),
            ValueError,
            "grid must be a module of ResNet, got 'stem'",
        ),
    ],
    ids=['text', 'name', 'no_name', 'same', 'argument', 'fusion', 'layout', 'layout_setting', 'order', 'grid'],
)
def test_bad_flow(flow, error, message):
    with pytest.raises(error, match=message):
        resnet(flow)


def test_module_that_serves_several_places():
    with pytest.raises(ValueError, match="'second' must be called once in a forward pass .* got 2 calls"):
        insert_flow(Plain(calls=2), dict(FLOW, after='second'))


def test_list_of_modules():
    network = nn.ModuleDict(dict(parts=nn.ModuleList([nn.Conv3d(3, 3, 1)])))
    network.forward = lambda x: network.parts[0](x)
    with pytest.raises(ValueError, match="'parts' must be called once .* got 0 calls: name a module that computes"):
        insert_flow(network, dict(FLOW, after='parts'))


@pytest.mark.parametrize(
    'last, found',
    [(nn.Flatten(), r'a tensor of shape \(2, \d+\)'), (Both(), 'a tuple of a tensor .*, a tensor of shape')],
    ids=['features', 'tuple'],
)
def test_outputs_that_are_not_supported(last, found):
    network = nn.Sequential(nn.Conv3d(3, 1, 1), last)
    message = rf"no flow block fits after '1' of Sequential: supported are frames .* found is {found}.* N = 2 clips"
    with pytest.raises(ValueError, match=message):
        insert_flow(network, dict(FLOW, after='1'))


def test_frames_need_num_segments():
    with pytest.raises(ValueError, match='takes frames .*, give num_segments, the frames T of one clip'):
        MODELS.build(dict(type='WithFlow', backbone=dict(type='ResNet', depth=18), flow=FLOW))
    network = insert_flow(Plain(), dict(FLOW, after='first'))
    with pytest.raises(ValueError, match='8 frames .* need num_segments, the frames of one clip, got None'):
        network(frames())


def test_num_segments_is_that_of_the_network():
    backbone = dict(type='ResNetTSM', depth=18, num_segments=8, pretrained2d=False)
    with pytest.raises(ValueError, match='num_segments must be that of ResNetTSM, 8, got 4'):
        MODELS.build(dict(type='WithFlow', backbone=backbone, flow=FLOW, num_segments=4))


def test_bad_input():
    network = resnet()
    with pytest.raises(ValueError, match='7 frames .* are no whole clips of num_segments=4'):
        network(frames()[:7])
    with pytest.raises(ValueError, match=r'x must be .* got shape \(3, 32, 32\)'):
        network(frames()[0])
    with pytest.raises(ValueError, match='x must be .* got NoneType as the first argument'):
        network(x=frames())


def test_module_outside_of_a_forward_pass():
    with pytest.raises(RuntimeError, match='can be called in a forward pass of its network only'):
        resnet().layer1(torch.rand(2 * T, 64, 8, 8))


def test_tokens_keep_their_number():
    backbone = dict(type='VisionTransformer', img_size=32, patch_size=8, embed_dims=8, depth=1, num_heads=1)
    flow = dict(FLOW, after='blocks.0', keep_length=False)
    with pytest.raises(ValueError, match="keep_length must be True for the tokens of 'blocks.0', .* got False"):
        MODELS.build(dict(type='WithFlow', backbone=backbone, flow=flow))


def test_inserting_twice():
    with pytest.raises(ValueError, match='ResNet has flow blocks already: insert all of them at once'):
        insert_flow(resnet(), FLOW)


def test_bad_input_shape():
    with pytest.raises(ValueError, match=r'input_shape must be \(C, T, H, W\) or \(C, H, W\), got \(3, 8\)'):
        insert_flow(Plain(), dict(FLOW, after='first'), input_shape=(3, 8))
