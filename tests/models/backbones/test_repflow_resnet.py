import copy

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope
from torch import nn
from torch.testing import assert_close
from torchvision_weights import torchvision_weights

from repflow_mm.models import RepFlowResNet

T = 4
FLOW = dict(channels=4, num_iters=2)
PLACES = ['input', 'block1', 'block2', 'block3', 'block4', 'block5']
SEVERAL = [dict(after='block1', **FLOW), dict(after='block3', **FLOW)]
SHORT = dict(num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(1,))  # ResNet-18 up to block 3


def build_backbone(depth=18, num_segments=T, seed=0, **kwargs):
    torch.manual_seed(seed)
    model = RepFlowResNet(depth, num_segments=num_segments, **kwargs)
    model.init_weights()
    return model


def flow_after(*places, **kwargs):
    flow = [dict(after=place, **FLOW, **kwargs) for place in places]
    return flow[0] if len(flow) == 1 else flow


def random_clips(n=2, t=T, size=32, seed=1):
    return torch.randn(n, 3, t, size, size, generator=torch.Generator().manual_seed(seed))


def fold(clips):
    """(N, C, T, H, W) -> (N*T, C, H, W)"""
    return clips.transpose(1, 2).flatten(0, 1)


class TestShapes:
    @pytest.mark.parametrize('depth, channels', [(18, 512), (34, 512), (50, 2048), (101, 2048)])
    def test_depths(self, depth, channels):
        model = build_backbone(depth, num_segments=3, flow=flow_after('block3')).eval()
        clips = random_clips(n=1, t=3)
        with torch.no_grad():
            assert model(clips).shape == (1, channels, 2, 1, 1)
            assert model(fold(clips)).shape == (3, channels, 1, 1)

    def test_depth_152_builds(self):
        with torch.device('meta'):
            model = RepFlowResNet(152, flow=flow_after('block3'))
        assert len(model.layer3) == 36 and model.flow_blocks['block3'].reduce.in_channels == 512

    @pytest.mark.parametrize('places', [[place] for place in PLACES] + [['block1', 'block3'], PLACES[:3]], ids='-'.join)
    @pytest.mark.parametrize('t', [4, 6])
    def test_places(self, places, t):
        model = build_backbone(num_segments=t, flow=flow_after(*places)).eval()
        clips = random_clips(t=t, size=64)
        with torch.no_grad():
            assert model(clips).shape == (2, 512, t - len(places), 2, 2)
            assert model(fold(clips)).shape == (2 * t, 512, 2, 2)

    def test_clips_of_another_length_than_num_segments(self):
        model = build_backbone(num_segments=8, flow=flow_after('block2'), **SHORT).eval()
        assert model(random_clips(t=5)).shape == (2, 128, 4, 4, 4)

    def test_several_outputs(self):
        model = build_backbone(flow=flow_after('block3'), out_indices=(0, 1, 3)).eval()
        clips = random_clips()
        assert [tuple(out.shape) for out in model(clips)] == [
            (2, 64, 4, 8, 8),
            (2, 128, 3, 4, 4),
            (2, 512, 3, 1, 1),
        ]
        assert [len(out) for out in model(fold(clips))] == [2 * T] * 3

    def test_flow_after_each_place_sees_its_features(self):
        model, rgb = build_backbone(num_segments=8, flow=flow_after(*PLACES)), build_backbone(num_segments=8).eval()
        features, x = {'input': 3}, fold(random_clips())
        x = rgb.maxpool(rgb.conv1(x))
        features['block1'] = x.shape[1]
        for i in range(4):
            x = getattr(rgb, f'layer{i + 1}')(x)
            features[f'block{i + 2}'] = x.shape[1]
        assert {place: block.reduce.in_channels for place, block in model.flow_blocks.items()} == features


class TestValues:
    @pytest.mark.parametrize('places', [*([p] for p in PLACES[:4]), ['block3', 'block1'], PLACES[:3]], ids='-'.join)
    @pytest.mark.parametrize('steps', [('flow',), ('flow', 'conv', 'flow')], ids='-'.join)
    def test_folded_frames_give_the_same_and_repeat_the_last(self, places, steps):
        t = 8
        model = build_backbone(num_segments=t, flow=flow_after(*places, steps=steps), **SHORT).eval()
        clips = random_clips(t=t)
        short = model(clips)  # (N, C, T', H, W)
        kept = model(fold(clips)).unflatten(0, (2, t)).transpose(1, 2)  # (N, C, T, H, W)
        length = short.shape[2]
        assert length == t - len(places) * steps.count('flow')
        assert_close(kept[:, :, :length], short, rtol=1e-4, atol=1e-4)
        assert_close(kept[:, :, length:], short[:, :, -1:].expand_as(kept[:, :, length:]), rtol=1e-4, atol=1e-4)

    def test_without_flow_it_is_the_rgb_network(self):
        model = build_backbone(flow=None).eval()
        rgb = MODELS.build(dict(type='ResNet', depth=18))
        rgb.load_state_dict(model.state_dict())
        rgb.eval()
        clips = random_clips()
        assert_close(model(fold(clips)), rgb(fold(clips)), rtol=0, atol=0)
        assert_close(fold(model(clips)), rgb(fold(clips)), rtol=0, atol=0)

    def test_without_flow_frames_need_not_be_whole_clips(self):
        model = build_backbone(flow=None, **SHORT).eval()
        assert model(fold(random_clips())[:7]).shape == (7, 128, 4, 4) and not hasattr(model, 'flow_blocks')

    @pytest.mark.parametrize('folded', [False, True], ids=['clips', 'folded'])
    def test_compile_and_copies_compute_the_same(self, folded):
        model = build_backbone(flow=SEVERAL, **SHORT).eval()
        x = fold(random_clips()) if folded else random_clips()
        with torch.no_grad():
            expected = model(x)
            compiled = torch.compile(model, fullgraph=True, backend='eager')
            assert_close(compiled(x), expected, rtol=1e-4, atol=1e-4)
            assert_close(copy.deepcopy(model)(x), expected, rtol=0, atol=0)

    @pytest.mark.parametrize('folded', [False, True], ids=['clips', 'folded'])
    def test_a_clip_depends_on_no_other(self, folded):
        model = build_backbone(flow=SEVERAL, **SHORT).eval()

        def features(clips):
            with torch.no_grad():
                return model(fold(clips)).unflatten(0, (-1, T)) if folded else model(clips)

        clips = random_clips(n=5)
        before = features(clips)
        changed = clips.clone()
        changed[2] = 50 * random_clips(n=1, seed=9) + 3
        after = features(changed)
        assert (after[2] - before[2]).abs().max() > 1e-2
        others = [0, 1, 3, 4]
        assert_close(after[others], before[others], rtol=1e-4, atol=1e-4)
        assert_close(features(clips[1:2])[0], before[1], rtol=1e-4, atol=1e-4)
        order = [3, 0, 4, 1, 2]
        assert_close(features(clips[order]), before[order], rtol=1e-4, atol=1e-4)

    def test_rgb_input_may_be_negative_after_fusion(self):
        model = build_backbone(flow=flow_after('input', fusion='add'), **SHORT)
        assert isinstance(model.flow_blocks['input'].act, nn.Identity)


class TestModes:
    def test_train_and_eval_return_self(self):
        model = build_backbone(flow=flow_after('block3'), **SHORT)
        assert model.train() is model and model.training
        assert model.eval() is model and not model.training and model.train(True) is model

    def test_norm_eval_fixes_all_norms(self):
        model = build_backbone(flow=flow_after('block3'), norm_eval=True, **SHORT).train()
        norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
        assert model.flow_blocks['block3'].norm in norms and not any(norm.training for norm in norms)
        assert all(parameter.requires_grad for parameter in model.parameters())

    @pytest.mark.parametrize('norm_eval', [False, True], ids=['norm_train', 'norm_eval'])
    def test_partial_bn_fixes_all_norms_of_the_resnet_but_the_first(self, norm_eval):
        model = build_backbone(flow=SEVERAL, partial_bn=True, norm_eval=norm_eval, **SHORT).train()
        first, flow_norms = model.conv1.bn, [block.norm for block in model.flow_blocks.values()]
        for norm in (module for module in model.modules() if isinstance(module, nn.BatchNorm2d)):
            is_learned = norm is first or norm in flow_norms
            assert norm.weight.requires_grad == norm.bias.requires_grad == is_learned
            assert norm.training == (is_learned and not norm_eval)

    def test_partial_bn_leaves_eval_mode_alone(self):
        model = build_backbone(flow=SEVERAL, partial_bn=True, **SHORT).train().eval()
        assert not any(module.training for module in model.modules())

    @pytest.mark.parametrize('frozen_stages', [-1, 0, 1])
    def test_frozen_stages_concern_the_resnet_alone(self, frozen_stages):
        model = build_backbone(flow=flow_after('input', 'block1', 'block2'), frozen_stages=frozen_stages, **SHORT)
        model.train()(random_clips(t=T)).square().mean().backward()
        frozen = ['conv1', 'layer1'][: frozen_stages + 1]
        for name, parameter in model.named_parameters():
            is_frozen = name.split('.')[0] in frozen
            assert parameter.requires_grad != is_frozen and (parameter.grad is None) == is_frozen, name
        assert model.conv1.bn.training == ('conv1' not in frozen)
        assert model.layer1[0].conv1.bn.training == ('layer1' not in frozen)
        assert all(block.norm.training for block in model.flow_blocks.values())


def torchvision_name(name):
    """The name in torchvision's ResNet of an entry of MMAction2's."""
    name = name.replace('downsample.conv.', 'downsample.0.').replace('downsample.bn.', 'downsample.1.')
    *path, conv, kind, entry = ['', *name.split('.')]
    if conv.startswith('conv'):
        name = '.'.join([*path, conv if kind == 'conv' else conv.replace('conv', 'bn'), entry]).lstrip('.')
    return name


class TestWeights:
    @pytest.mark.parametrize('depth', [18, 50])
    def test_imagenet_weights_load(self, depth, tmp_path):
        imagenet = torchvision_weights(depth)
        torch.save(imagenet, tmp_path / 'resnet.pth')
        flow = flow_after('block3', fusion='add', zero_init_norm=True)
        model = build_backbone(depth, flow=flow, pretrained=str(tmp_path / 'resnet.pth'))
        loaded = {torchvision_name(k): v for k, v in model.state_dict().items() if not k.startswith('flow_blocks.')}
        assert set(imagenet) - set(loaded) == {'fc.weight', 'fc.bias'}
        for name, value in loaded.items():
            assert_close(value, imagenet[name], rtol=0, atol=0, msg=name)
        block = model.flow_blocks['block3']
        assert not block.norm.weight.any() and block.reduce.weight.std() > 0

    def test_pretrained_is_the_second_argument_as_in_mmactions(self):
        assert RepFlowResNet(18, 'weights.pth').pretrained == 'weights.pth'

    def test_missing_weights(self, tmp_path):
        with pytest.raises(FileNotFoundError, match='absent.pth does not exist'):
            build_backbone(flow=flow_after('block3'), pretrained=str(tmp_path / 'absent.pth'))

    @pytest.mark.parametrize('outer', [False, True], ids=['backbone', 'recognizer'])
    def test_init_weights_keeps_zero_init_norm(self, outer):
        init_default_scope('mmaction')
        backbone = dict(type='RepFlowResNet', depth=18, num_segments=T, **SHORT)
        backbone['flow'] = [dict(after='block2', **FLOW, fusion='add', zero_init_norm=True), flow_after('block3')]
        model = MODELS.build(dict(type='Recognizer3D', backbone=backbone) if outer else backbone)
        model.init_weights()
        blocks = (model.backbone if outer else model).flow_blocks
        assert not blocks['block2'].norm.weight.any() and (blocks['block3'].norm.weight == 1).all()

    def test_init_weights_is_reproducible_and_random(self):
        first, second, other = (build_backbone(flow=SEVERAL, seed=seed, **SHORT).state_dict() for seed in (0, 0, 1))
        for name, value in first.items():
            assert_close(value, second[name], rtol=0, atol=0)
            assert value.ndim < 4 or name.endswith('image_kernel') or (value != other[name]).any(), name

    def test_state_keys_are_those_of_the_resnet_and_of_the_blocks(self):
        keys = set(build_backbone(flow=flow_after('block3')).state_dict())
        assert {key for key in keys if not key.startswith('flow_blocks.block3.')} == set(RepFlowResNet(18).state_dict())
        assert 'flow_blocks.block3.steps.flow0.raw_theta' in keys

    def test_checkpoints_with_the_old_name_of_the_steps_load(self):
        network, other = (build_backbone(flow=SEVERAL, seed=seed, **SHORT).eval() for seed in (0, 1))
        old = {key.replace('.steps.', '.stages.'): value for key, value in network.state_dict().items()}
        assert 'flow_blocks.block3.stages.flow0.raw_theta' in old
        other.load_state_dict(old)
        assert_close(other(random_clips()), network(random_clips()), rtol=0, atol=0)


class TestGuards:
    @pytest.mark.parametrize(
        'arguments, error, message',
        [
            (dict(depth=20), ValueError, r'depth must be one of \(18, 34, 50, 101, 152\), got 20'),
            (dict(flow=dict(after='stem')), ValueError, r"'after' must be one of \('input', .*'block5'\).* got 'stem'"),
            (dict(flow=dict(channels=4)), ValueError, "'after' must be one of .* got None"),
            (
                dict(flow=flow_after('block5'), **SHORT),
                ValueError,
                r"one of \('input', 'block1', 'block2', 'block3'\) in this backbone, got 'block5'",
            ),
            (dict(flow=flow_after('block3', 'block3')), ValueError, "two blocks after 'block3'.*'steps'"),
            (dict(flow=flow_after('block3'), num_segments=1), ValueError, 'num_segments must be > 1.* got 1'),
            (dict(flow=SEVERAL, num_segments=2), ValueError, 'num_segments must be > 2.* got 2'),
            (dict(num_segments=0), ValueError, 'num_segments must be > 0.* got 0'),
            (dict(flow='block3'), TypeError, "flow must be None, a dict or a list of dicts, got 'block3'"),
            (dict(flow=['block3']), TypeError, r"flow must be None, a dict or a list of dicts, got \['block3'\]"),
            (dict(flow=dict(after='block3', fusion='mul')), ValueError, "fusion must be one of .* got 'mul'"),
        ],
        ids=[
            'depth',
            'place',
            'no_place',
            'place_cut_off',
            'same_place',
            'short_clip',
            'short_clip_two_flows',
            'no_segments',
            'flow_text',
            'flow_list_of_text',
            'fusion',
        ],
    )
    def test_bad_argument(self, arguments, error, message):
        with pytest.raises(error, match=message), torch.device('meta'):
            RepFlowResNet(**{'depth': 18, **arguments})

    def test_network_that_takes_no_clip_says_why(self):
        model = RepFlowResNet(18, **SHORT)
        model.layer2[0].conv1 = torch.nn.Conv2d(5, 5, 1)
        message = "no clips of 8 to 264 frames suit the flow blocks: a trial pass ends before 'block3'"
        with pytest.raises(ValueError, match=rf'{message} \(RuntimeError: .*channel'):
            model._insert_flow(flow_after('block1'), num_segments=8)

    @pytest.mark.parametrize(
        'shape, message',
        [
            ((7, 3, 32, 32), r'7 frames \(N\*T, C, H, W\) are no whole clips of num_segments=4'),
            ((3, 32, 32), r'x must be \(N, C, T, H, W\) or .* got shape \(3, 32, 32\)'),
            ((1, 3, 1, 32, 32), 'more than 1 frames for the flow block, got T = 1'),
        ],
        ids=['part_of_a_clip', 'rank_3', 'one_frame'],
    )
    def test_bad_input(self, shape, message):
        model = build_backbone(flow=flow_after('block1'), **SHORT)
        with pytest.raises(ValueError, match=message):
            model(torch.rand(shape))
