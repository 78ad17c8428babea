"""Exported networks compute what MMAction2's recognizers compute: tiny ones, 2D, 3D and (2+1)D, RepFlow and FcF."""

from importlib.util import find_spec

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.registry import init_default_scope

from repflow_mm.export.formats import count_nodes, load_network, write_network
from repflow_mm.export.network import ScoringNetwork
from repflow_mm.ops import rep_flow, rep_flow_ref
from repflow_mm.testing.parity import Case, draw

needs_onnx = pytest.mark.skipif(not all(map(find_spec, ('onnx', 'onnxscript', 'onnxruntime'))), reason='no ONNX')
FLOWS = {
    'repflow': dict(),
    'fcf': dict(steps=('flow', 'conv', 'flow'), expand_kernel_size=3, fusion='add'),
}
STAGES = dict(depth=18, num_stages=2, out_indices=(1,), strides=(1, 2), dilations=(1, 1))
LAYOUT = dict(inflate=(1, 1), with_pool2=False, base_channels=8, spatial_strides=(1, 2), temporal_strides=(1, 1))
VOLUMES = {key: value for key, value in STAGES.items() if key != 'strides'} | LAYOUT
BACKBONES = {
    '2d': (dict(type='RepFlowResNet', num_segments=6, **STAGES), 128),
    '3d': (dict(type='RepFlowResNet3d', num_segments=6, **VOLUMES), 16),
    '2plus1d': (dict(type='RepFlowResNet2Plus1d', num_segments=6, **VOLUMES), 16),
}


def build(backbone='2d', flow='repflow', recognizer='Recognizer3D', head='I3DHead'):
    init_default_scope('mmaction')
    torch.manual_seed(0)
    cfg, channels = BACKBONES[backbone]
    layout = 'NCTHW' if recognizer == 'Recognizer3D' else 'NCHW'
    cfg = dict(
        type=recognizer,
        backbone=dict(cfg, flow=dict(after='block2', channels=4, num_iters=5, **FLOWS[flow])),
        cls_head=dict(type=head, num_classes=5, in_channels=channels, average_clips='prob', init_std=0.5),
        data_preprocessor=dict(type='ActionDataPreprocessor', mean=[127.5] * 3, std=[50.0] * 3, format_shape=layout),
    )
    model = MODELS.build(cfg)
    model.init_weights()
    return model.eval()


def clips_of(number, shape=(3, 6, 24, 24)):
    return torch.randint(0, 256, (number, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(number))


def own_scores(model, clips):
    samples = [dict(inputs=clip, data_samples=ActionDataSample()) for clip in clips]
    with torch.no_grad():
        batch = dict(inputs=[s['inputs'] for s in samples], data_samples=[s['data_samples'] for s in samples])
        return torch.stack([result.pred_score for result in model.test_step(batch)])


def check(model, network, path, kind, clips):
    expected = own_scores(model, [clip if network.is_2d else clip[None] for clip in clips])
    found = load_network(path, kind)(clips if network.with_preprocessing else network.normalize(clips))
    assert found.shape == expected.shape == (len(clips), 5)
    assert expected.std() > 1e-3, 'the classes have scores of their own'
    assert (found - expected).abs().max() <= 1e-4


@needs_onnx
@pytest.mark.parametrize('flow', FLOWS)
@pytest.mark.parametrize('backbone', BACKBONES)
def test_onnx_runtime_computes_the_scores(backbone, flow, tmp_path):
    model = build(backbone, flow)
    network = ScoringNetwork(model, with_preprocessing=True).eval()
    write_network(network, clips_of(2), tmp_path / 'a.onnx', 'onnx')
    for number in (1, 3):
        check(model, network, tmp_path / 'a.onnx', 'onnx', clips_of(number))


@needs_onnx
def test_onnx_of_a_2d_recognizer(tmp_path):
    model = build(recognizer='Recognizer2D', head='TSNHead')
    network = ScoringNetwork(model).eval()
    clips = clips_of(2, (6, 3, 24, 24))  # (N, T, C, H, W)
    write_network(network, network.normalize(clips[:1]), tmp_path / 'a.onnx', 'onnx', dynamic_batch=False)
    check(model, network, tmp_path / 'a.onnx', 'onnx', clips[1:])


@needs_onnx
def test_onnx_of_another_backbone_takes_any_number_of_clips(tmp_path):
    backbone = dict(type='ResNetTSM', depth=18, num_segments=6, pretrained2d=False)
    flow = dict(after='layer2', channels=4, num_iters=5, fusion='add')
    cfg = dict(
        type='Recognizer2D',
        backbone=dict(type='WithFlow', backbone=backbone, flow=flow),
        cls_head=dict(
            type='TSMHead', num_classes=5, in_channels=512, num_segments=6, average_clips='prob', init_std=0.5
        ),
        data_preprocessor=dict(type='ActionDataPreprocessor', mean=[127.5] * 3, std=[50.0] * 3, format_shape='NCHW'),
    )
    init_default_scope('mmaction')
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    model.cls_head.init_weights()
    network = ScoringNetwork(model.eval()).eval()
    shape = 6, 3, 24, 24  # (T, C, H, W)
    write_network(network, network.normalize(clips_of(2, shape)), tmp_path / 'a.onnx', 'onnx')
    for number in (1, 3):
        check(model, network, tmp_path / 'a.onnx', 'onnx', clips_of(number, shape))


@pytest.mark.parametrize('unrolled', [False, True], ids=['operator', 'unrolled'])
@pytest.mark.parametrize('kind', ['pt2', 'torchscript'])
def test_torchs_formats_compute_the_scores(kind, unrolled, tmp_path):
    model = build()
    network = ScoringNetwork(model).eval()
    write_network(network, network.normalize(clips_of(2)), tmp_path / 'a', kind, unrolled=unrolled)
    check(model, network, tmp_path / 'a', kind, clips_of(3))


class Flow(torch.nn.Module):
    def __init__(self, kernels, num_iters):
        super().__init__()
        self.kernels, self.num_iters = kernels, num_iters

    def forward(self, x):
        return rep_flow(x, 0.3, 0.15, 0.25, *self.kernels, num_iters=self.num_iters)


@needs_onnx
def test_the_loop_is_the_reference_for_learned_kernels_and_odd_sizes(tmp_path):
    (x, *_, image_kernel, flow_kernel, div_kernel), _ = draw(Case((2, 3, 4, 7, 9), learned=True), seed=0)
    kernels = image_kernel, flow_kernel, div_kernel
    nodes = []
    for num_iters in (1, 20):
        x, *kernels = (tensor.float() for tensor in (x, *kernels))
        write_network(Flow(kernels, num_iters), x, tmp_path / 'a.onnx', 'onnx')
        found = load_network(tmp_path / 'a.onnx', 'onnx')(x)
        expected = rep_flow_ref(x.double(), 0.3, 0.15, 0.25, *(k.double() for k in kernels), num_iters=num_iters)
        eager = rep_flow_ref(x, 0.3, 0.15, 0.25, *kernels, num_iters=num_iters)
        allowed = 2 * (eager - expected).abs().max() + 2 * torch.finfo(torch.float32).eps * expected.abs().max()
        assert (found - expected).abs().max() <= allowed
        nodes.append(count_nodes(tmp_path / 'a.onnx'))
    assert nodes[0] == nodes[1], 'a loop, whatever the number of iterations'


def test_an_unknown_format(tmp_path):
    with pytest.raises(ValueError, match=r"^format must be one of \('onnx', 'pt2', 'torchscript'\), got 'tflite'$"):
        write_network(torch.nn.Identity(), torch.zeros(1), tmp_path / 'a', 'tflite')
    assert not list(tmp_path.iterdir())


def test_networks_that_cannot_be_exported():
    model = build()
    model.data_preprocessor = torch.nn.Identity()
    with pytest.raises(ValueError, match='^a network whose data preprocessor is Identity cannot be exported$'):
        ScoringNetwork(model)
    with pytest.raises(ValueError, match='^model must be a Recognizer2D or Recognizer3D to be exported, got Identity$'):
        ScoringNetwork(torch.nn.Identity())
