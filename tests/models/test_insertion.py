import copy
import io

import pytest
import torch
import torch.distributed as dist
from mmaction.registry import MODELS
from mmengine.model import ExponentialMovingAverage
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint, save_checkpoint
from small_networks import FLOW, RESIDUAL, SHORT_3D, Plain, T, clips, frames, resnet, resnet3d
from torch import nn
from torch.testing import assert_close

import repflow_mm.models  # noqa: F401
from repflow_mm.models import insert_flow
from repflow_mm.models.insertion import FlowHook


class TestInsertion:
    def test_network_of_plain_pytorch_stays_the_same_object(self):
        network = Plain()
        names = set(network.state_dict())
        assert insert_flow(network, dict(FLOW, after='first')) is network
        assert network(clips()).shape == (2, 6, 8, 32, 32)
        assert {name for name in network.state_dict() if not name.startswith('flow_blocks.first.')} == names

    def test_output_of_the_module_passes_the_block(self):
        network = insert_flow(Plain(), dict(FLOW, after='first')).eval()
        features = nn.Conv3d.forward(network.first, clips())
        expected = network.second(network.flow_blocks['first'](features))
        assert_close(network(clips()), expected, rtol=0, atol=0)

    def test_input_passes_the_block(self):
        network = insert_flow(Plain(), dict(FLOW, after='input')).eval()
        expected = network.second(network.first(network.flow_blocks['input'](clips())))
        assert_close(network(clips()), expected, rtol=0, atol=0)

    def test_frames_are_unfolded_by_num_segments(self):
        network = resnet().eval()
        features = network.maxpool(network.conv1(frames()))
        for block in network.layer1:
            features = block(features)
        expected = network.flow_blocks['layer1'](features.unflatten(0, (2, T)).transpose(1, 2))
        expected = network.layer2(expected.transpose(1, 2).flatten(0, 1))
        assert_close(network(frames()), expected, rtol=0, atol=0)

    def test_dots_in_names_and_several_blocks(self):
        flow = [dict(FLOW, after='layer1.0'), dict(FLOW, after='layer2'), dict(FLOW, after='input')]
        network = resnet(flow)
        assert list(network.flow_blocks) == ['layer1_0', 'layer2', 'input']
        assert network(frames()).shape == (2 * T, 128, 4, 4)

    def test_length_may_shorten(self):
        assert (
            resnet3d(dict(FLOW, keep_length=False, steps=('flow', 'flow')))(clips()).shape[2] == (8 - 2) // 2
        )  # pool2 follows

    def test_without_flow_nothing_changes(self):
        for flow in (None, []):
            network = resnet(flow)
            assert not hasattr(network, 'flow_blocks') and 'train' not in vars(network)

    def test_clips_may_have_any_length_and_size(self):
        network = resnet3d(dict(FLOW, **RESIDUAL))
        assert network(clips(3, 6, 40)).shape == (3, 128, 3, 5, 5)

    def test_given_layout_and_channels_need_no_trial_pass(self):
        class Unwilling(Plain):
            def forward(self, x):
                if x.shape[-1] != 24:
                    raise RuntimeError('24 pixels only')
                return super().forward(x)

        flow = dict(FLOW, after='first')
        with pytest.raises(ValueError, match='Unwilling takes none of the .* inputs .*RuntimeError: 24 pixels only'):
            insert_flow(Unwilling(), flow)
        network = insert_flow(Unwilling(), dict(flow, layout='clips', in_channels=6))
        assert network(clips(size=24)).shape == (2, 6, 8, 24, 24)
        network = insert_flow(Unwilling(), flow, input_shape=(3, 8, 24, 24))
        assert network(clips(size=24)).shape == (2, 6, 8, 24, 24)

    def test_blocks_have_the_networks_device_and_mode(self):
        with torch.device('meta'):
            network = Plain()
        network = insert_flow(network.eval(), dict(FLOW, after='first'))
        assert all(parameter.is_meta for parameter in network.parameters())
        assert not any(module.training for module in network.modules())


class TestCopies:
    def test_deepcopy_has_hooks_with_its_own_blocks(self):
        network = resnet().eval()
        twin = copy.deepcopy(network)
        before = network(frames())
        assert_close(twin(frames()), before, rtol=0, atol=0)
        with torch.no_grad():
            twin.flow_blocks['layer1'].norm.bias.add_(1)
        assert (twin(frames()) - before).abs().max() > 1e-3
        assert_close(network(frames()), before, rtol=0, atol=0)
        assert twin.train() is twin and twin.flow_blocks['layer1'].training
        assert not network.flow_blocks['layer1'].training and twin.flow_insertion.network is twin

    def test_pickle(self):
        network, file = resnet(dict(FLOW, after='input')).eval(), io.BytesIO()
        torch.save(network, file)
        file.seek(0)
        twin = torch.load(file, weights_only=False)
        assert_close(twin(frames()), network(frames()), rtol=0, atol=0)
        hook = next(hook.hook for hook in twin._forward_pre_hooks.values() if hasattr(hook, 'hook'))
        assert hook.block is twin.flow_blocks['input'] is not network.flow_blocks['input']

    def test_exponential_moving_average_uses_its_own_blocks(self):
        network = resnet().eval()
        averaged = ExponentialMovingAverage(network, momentum=0.5)
        averaged.update_parameters(network)  # the first update copies
        first = averaged(frames())
        with torch.no_grad():
            network.flow_blocks['layer1'].norm.bias.add_(1)
        assert_close(averaged(frames()), first, rtol=0, atol=0)
        averaged.update_parameters(network)
        assert torch.equal(averaged.module.flow_blocks['layer1'].norm.bias, torch.full((64,), 0.5))
        assert (averaged(frames()) - first).abs().max() > 1e-3
        hooks = [hook for module in averaged.modules() for hook in module._forward_hooks.values()]
        assert [hook.block for hook in hooks if isinstance(hook, FlowHook)] == [averaged.module.flow_blocks['layer1']]


class TestTraining:
    def test_init_weights_keeps_gamma_0_and_starts_the_resnet_as_without_flow(self):
        network, plain = resnet3d(dict(FLOW, **RESIDUAL)), resnet3d(None)
        for model in (network, plain):
            torch.manual_seed(3)
            model.init_weights()
        assert not network.flow_blocks['layer1'].norm.weight.any()
        state = network.state_dict()
        assert all(torch.equal(value, state[name]) for name, value in plain.state_dict().items())

    def test_pretrained_weights_may_have_to_fit_exactly(self, tmp_path):
        pathway = dict(SHORT_3D, type='resnet3d', depth=18, conv1_stride_t=1, pool1_stride_t=1)
        backbone = dict(
            type='ResNet3dSlowFast',
            resample_rate=4,
            speed_ratio=4,
            slow_pathway=dict(pathway, lateral=True, conv1_kernel=(1, 7, 7), inflate=(0, 0)),
            fast_pathway=dict(pathway, lateral=False, base_channels=8, conv1_kernel=(5, 7, 7)),
        )
        plain = MODELS.build(copy.deepcopy(backbone))
        torch.save(plain.state_dict(), tmp_path / 'slowfast.pth')
        backbone['pretrained'] = str(tmp_path / 'slowfast.pth')
        network = MODELS.build(dict(type='WithFlow', backbone=backbone, flow=dict(FLOW, after='slow_path.layer1')))
        network.init_weights()  # MMAction2 loads them with strict=True
        state = network.state_dict()
        assert all(torch.equal(value, state[name]) for name, value in plain.state_dict().items())

    def test_modes_of_the_network_spare_the_blocks(self):
        network = resnet(partial_bn=True, frozen_stages=1)
        assert network.train() is network and network.flow_blocks['layer1'].norm.training
        assert all(parameter.requires_grad for parameter in network.flow_blocks.parameters())
        assert not network.layer2[0].conv1.bn.training and not network.conv1.conv.weight.requires_grad
        assert network.eval() is network and not any(module.training for module in network.modules())

    def test_norm_eval_concerns_the_blocks_norms(self):
        network = resnet3d(norm_eval=True).train()
        assert not network.flow_blocks['layer1'].norm.training and network.flow_blocks['layer1'].training

    def test_blocks_come_back_after_an_error(self):
        network = resnet3d()
        network.pretrained = 3
        with pytest.raises(TypeError, match='pretrained must be a str or None'):
            network.init_weights()
        assert 'layer1' in network.flow_blocks and network.flow_insertion.blocks is network.flow_blocks

    @pytest.mark.parametrize('build, x', [(resnet, frames()), (resnet3d, clips())], ids=['frames', 'clips'])
    def test_checkpoints_of_the_network_without_flow_load(self, build, x, tmp_path):
        init_default_scope('mmaction')
        head = dict(type='TSNHead' if build is resnet else 'I3DHead', num_classes=3, in_channels=128)
        kind = 'Recognizer2D' if build is resnet else 'Recognizer3D'
        plain, model = (
            MODELS.build(dict(type=kind, backbone=dict(type='ResNet', depth=18), cls_head=head)) for _ in '12'
        )
        plain.backbone, model.backbone = build(None), build(dict(FLOW, **RESIDUAL), seed=1)
        save_checkpoint(dict(meta={}, state_dict=plain.state_dict()), str(tmp_path / 'published.pth'))
        load_checkpoint(model, str(tmp_path / 'published.pth'), map_location='cpu', strict=False)
        state = model.state_dict()
        assert all(torch.equal(value, state[name]) for name, value in plain.state_dict().items())
        others = set(state) - set(plain.state_dict())
        assert others and all(name.startswith('backbone.flow_blocks.layer1.') for name in others)
        plain.train(False), model.train(False)
        assert torch.equal(model.backbone(x), plain.backbone(x))

    def test_distributed_data_parallel(self, tmp_path):
        dist.init_process_group('gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1)
        try:
            network = resnet(dict(FLOW, fusion='add'))
            alone = copy.deepcopy(network)
            parallel = nn.parallel.DistributedDataParallel(network)
            outputs = [model(frames()) for model in (parallel, alone)]
            assert torch.equal(*outputs)
            for output in outputs:
                output.square().mean().backward()
            for (name, parameter), (_, other) in zip(network.named_parameters(), alone.named_parameters()):
                assert torch.equal(parameter.grad, other.grad), name
        finally:
            dist.destroy_process_group()

    @pytest.mark.parametrize('build, x', [(resnet, frames()), (resnet3d, clips())], ids=['frames', 'clips'])
    @pytest.mark.parametrize('depth', [18, 50])
    def test_activation_checkpointing_changes_nothing(self, build, x, depth):
        network = build(dict(FLOW, fusion='add'), depth=depth)
        saving = build(dict(FLOW, fusion='add'), depth=depth, with_cp=True)
        assert saving.layer1[0].with_cp
        for model in (network, saving):
            model(x).square().mean().backward()
        for (name, parameter), other in zip(network.named_parameters(), saving.parameters()):
            assert torch.equal(parameter.grad, other.grad), name
        for (name, buffer), other in zip(network.named_buffers(), saving.buffers()):
            assert torch.equal(buffer, other), name

    @pytest.mark.parametrize('build, x', [(resnet, frames()), (resnet3d, clips())], ids=['frames', 'clips'])
    def test_bfloat16_autocast(self, build, x):
        network = build(dict(FLOW, fusion='add'))
        with torch.autocast('cpu', dtype=torch.bfloat16):
            out = network(x)
        out.float().square().mean().backward()
        assert out.isfinite().all()
        assert all(parameter.grad.isfinite().all() for parameter in network.parameters())

    @pytest.mark.parametrize('build, x', [(resnet, frames()), (resnet3d, clips())], ids=['frames', 'clips'])
    def test_channels_last_is_kept_in_memory(self, build, x):
        memory_format = torch.channels_last if build is resnet else torch.channels_last_3d
        network = build(dict(FLOW, fusion='add')).eval()
        expected = network(x)
        for module in network.modules():
            if isinstance(module, nn.Conv2d if build is resnet else nn.Conv3d):
                module.to(memory_format=memory_format)
        seen = []
        network.layer2.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
        assert_close(network(x.contiguous(memory_format=memory_format)), expected, rtol=1e-3, atol=1e-3)
        assert seen[0].is_contiguous(memory_format=memory_format)


class TestCompilers:
    @pytest.mark.parametrize('build, x', [(resnet, frames()), (resnet3d, clips())], ids=['frames', 'clips'])
    def test_compile_without_graph_breaks(self, build, x):
        network = build([dict(FLOW, fusion='add'), dict(FLOW, after='input')]).eval()
        expected = network(x)
        compiled = torch.compile(network, fullgraph=True, backend='eager')
        assert_close(compiled(x), expected, rtol=1e-4, atol=1e-4)
        more = torch.cat((x, x[: len(x) // 2]))  # another number of clips
        assert_close(compiled(more), network(more), rtol=1e-4, atol=1e-4)

    @pytest.mark.parametrize('strict', [False, True], ids=['non-strict', 'strict'])
    @pytest.mark.parametrize('build, x', [(resnet, frames()), (resnet3d, clips())], ids=['frames', 'clips'])
    def test_export(self, build, x, strict):
        network = build(dict(FLOW, fusion='add')).eval()
        with torch.no_grad():
            program = torch.export.export(network, (x,), strict=strict)
            assert_close(program.module()(x), network(x), rtol=1e-4, atol=1e-4)
