"""Backbones of other libraries, which may not be installed: stand-ins show what is asked of the libraries."""

import sys
from types import ModuleType

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import Registry, init_default_scope
from torch import nn

import repflow_mm.models  # noqa: F401

FLOW = dict(channels=4, num_iters=2, fusion='add', zero_init_norm=True)


class ImageNetwork(nn.Module):
    """What libraries of image networks build: two convolutions; the features in a tuple, or pooled."""

    def __init__(self, in_tuple=False, num_classes=10, global_pool='avg'):
        super().__init__()
        self.stages = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.Conv2d(8, 6, 3, stride=2))
        self.in_tuple, self.arguments = in_tuple, (num_classes, global_pool)

    def forward(self, x):
        x = self.stages(x)
        return (x,) if self.in_tuple else x


def recognizer(backbone, place):
    init_default_scope('mmaction')
    backbone = dict(type='WithFlow', backbone=backbone, flow=dict(FLOW, after=place), num_segments=4)
    head = dict(type='TSNHead', num_classes=3, in_channels=6)
    return MODELS.build(dict(type='Recognizer2D', backbone=backbone, cls_head=head))


def check_features(model):
    x = torch.rand(2, 4, 3, 32, 32)
    with torch.no_grad():
        assert model.eval()(x, mode='tensor', stage='head').shape == (2, 3)


def test_timm_networks_are_built_without_pooling_and_classifier(monkeypatch):
    timm = ModuleType('timm')
    timm.create_model = lambda name, **arguments: dict(tiny=ImageNetwork)[name](**arguments)
    monkeypatch.setitem(sys.modules, 'timm', timm)
    model = recognizer(dict(type='timm.tiny'), 'stages.0')
    assert type(model.backbone) is ImageNetwork and model.backbone.arguments == (0, '')
    check_features(model)
    assert recognizer(dict(type='timm.tiny', global_pool='avg'), 'stages.0').backbone.arguments == (0, 'avg')


@pytest.mark.parametrize('library', ['mmpretrain', 'mmcls'])
def test_a_lone_feature_map_comes_out_of_its_tuple(library, monkeypatch):
    registry = Registry('model', scope=library, parent=ROOT_MODELS)
    try:
        registry.register_module('Tiny', module=ImageNetwork)
        for name in (library, f'{library}.models'):
            monkeypatch.setitem(sys.modules, name, ModuleType(name))
        model = recognizer(dict(type=f'{library}.Tiny', in_tuple=True), 'stages.1')
        assert isinstance(model.backbone(torch.rand(8, 3, 32, 32)), torch.Tensor)
        check_features(model)
    finally:
        del ROOT_MODELS._children[library]


@pytest.mark.parametrize('kind', ['timm.resnet18', 'mmpretrain.ResNet', 'mmcls.ResNet'])
def test_a_library_that_is_missing_is_named(kind, monkeypatch):
    library = kind.partition('.')[0]
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setitem(sys.modules, f'{library}.models', None)
    with pytest.raises(ImportError, match=rf'the backbone {kind} needs pip install {library} \(.*{library}.*\)'):
        recognizer(dict(type=kind), 'layer1')


@pytest.mark.parametrize('name, place', [('resnet18', 'layer2'), ('vit_tiny_patch16_224', 'blocks.0')])
def test_real_timm_networks(name, place):
    timm = pytest.importorskip('timm')
    plain = timm.create_model(name, num_classes=0, global_pool='').eval()
    backbone = dict(type=f'timm.{name}')
    network = MODELS.build(
        dict(type='WithFlow', backbone=backbone, flow=dict(FLOW, after=place), num_segments=4)
    ).eval()
    network.load_state_dict(plain.state_dict(), strict=False)
    x = torch.rand(4, 3, 224, 224)
    with torch.no_grad():
        assert torch.equal(network(x), plain(x))


def test_real_mmpretrain_networks():
    pytest.importorskip('mmpretrain')
    model = recognizer(dict(type='mmpretrain.ResNet', depth=18), 'layer1')
    assert model.backbone(torch.rand(8, 3, 32, 32)).shape[1] == 512


def test_without_flow_the_network_is_as_it_is():
    init_default_scope('mmaction')
    torch.manual_seed(0)
    plain = MODELS.build(dict(type='ResNet', depth=18))
    torch.manual_seed(0)
    network = MODELS.build(dict(type='WithFlow', backbone=dict(type='ResNet', depth=18)))
    assert type(network) is type(plain) and list(network.state_dict()) == list(plain.state_dict())
    x = torch.rand(2, 3, 32, 32)
    plain.eval(), network.eval()
    assert torch.equal(network(x), plain(x))
