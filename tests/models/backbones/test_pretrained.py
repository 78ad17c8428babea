import logging

import pytest
import torch
from safetensors.torch import save_file
from torchvision_weights import BLOCKS, torchvision_weights

from repflow_mm.models import RepFlowResNet, RepFlowResNet3d
from repflow_mm.models.backbones.pretrained import averaged_over_rgb, check_pretrained

FLOW = dict(after='block3', channels=4, num_iters=1)
BACKBONES = {
    '2d-18': lambda **kwargs: RepFlowResNet(18, num_segments=8, flow=FLOW, **kwargs),
    '2d-50': lambda **kwargs: RepFlowResNet(50, num_segments=8, flow=FLOW, **kwargs),
    '3d-18': lambda **kwargs: RepFlowResNet3d(18, num_segments=8, flow=FLOW, **kwargs),
    '3d-50': lambda **kwargs: RepFlowResNet3d(50, num_segments=8, flow=FLOW, inflate_style='3x3x3', **kwargs),
    '3x1x1-50': lambda **kwargs: RepFlowResNet3d(50, num_segments=8, flow=FLOW, inflate=((1, 1, 0), 1, 0, 1), **kwargs),
}


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp('weights')
    for depth in BLOCKS:
        torch.save(torchvision_weights(depth), folder / f'{depth}.pth')
    return {depth: str(folder / f'{depth}.pth') for depth in BLOCKS}


def checksum(tensors):
    """Sum of squares of everything; an inflated kernel counts as its sum over time."""
    flat = [(value.sum(2) if value.ndim == 5 else value).double() for value in tensors]
    return sum(value.square().sum() for value in flat), len(flat)


@pytest.mark.parametrize('name', BACKBONES)
def test_every_weight_but_the_classifiers_is_used(name, files):
    path = files[int(name[-2:])]
    model = BACKBONES[name](pretrained=path)
    model.init_weights()
    used = [value for key, value in torch.load(path).items() if not key.startswith('fc.')]
    loaded = [value for key, value in model.state_dict().items() if not key.startswith('flow_blocks.')]
    (got, num_got), (wanted, num_wanted) = checksum(loaded), checksum(used)
    assert num_got == num_wanted
    assert torch.isclose(got, wanted, rtol=1e-6)


def test_loaded_values_lie_where_they_belong(files):
    weights = torch.load(files[18])
    model = BACKBONES['3d-18'](pretrained=files[18])
    model.init_weights()
    assert torch.allclose(model.layer2[0].downsample.conv.weight[:, :, 0], weights['layer2.0.downsample.0.weight'])
    assert torch.allclose(model.layer3[1].conv2.conv.weight[:, :, 1] * 3, weights['layer3.1.conv2.weight'])
    assert torch.equal(model.layer3[1].conv2.bn.running_var, weights['layer3.1.bn2.running_var'])
    assert torch.equal(model.conv1.bn.bias, weights['bn1.bias'])


def test_other_forms_of_weights_load_alike(files, tmp_path):
    weights = torch.load(files[18])
    save_file({f'module._orig_mod.{name}': value for name, value in weights.items()}, tmp_path / 'a.safetensors')
    averaged = {f'module.{name}': value for name, value in weights.items()} | {'n_averaged': torch.tensor(3)}
    torch.save(averaged, tmp_path / 'a.pth')
    for name in ('a.safetensors', 'a.pth'):
        model = BACKBONES['2d-18'](pretrained=str(tmp_path / name))
        model.init_weights()
        assert torch.equal(model.layer3[1].conv2.conv.weight, weights['layer3.1.conv2.weight'])


def test_authors_files_are_to_be_converted(files, tmp_path):
    torch.save(torch.load(files[18]) | {'flow_layer.img_grad': torch.ones(32, 1, 1, 3)}, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'own names: convert it .* convert_released_weights .*a\.pth converted\.pth'):
        BACKBONES['2d-18'](pretrained=str(tmp_path / 'a.pth')).init_weights()


@pytest.mark.parametrize('name', ['2d-18', '3d-18'])
def test_loading_leaves_the_flow_blocks_alone_and_reports_what_is_left(name, files, caplog):
    model = BACKBONES[name](pretrained=files[18])
    before = {key: value.clone() for key, value in model.flow_blocks.state_dict().items()}
    load = model._load_torchvision_checkpoint if name[0] == '2' else model.inflate_weights
    with caplog.at_level(logging.INFO):
        load(logging.getLogger('test'))
    assert all(torch.equal(before[key], value) for key, value in model.flow_blocks.state_dict().items())
    assert (
        f"120 of 122 tensors go into {type(model).__name__}; not used: ['fc.bias', 'fc.weight']; "
        "not in the file, so initialised anew: ['flow_blocks.block3']"
    ) in caplog.text


def test_report_names_non_local_blocks(files):
    model = RepFlowResNet3d(50, non_local=(0, (0, 1, 0, 0), 0, 0))
    assert "initialised anew: ['layer2.1.non_local_block']" in check_pretrained(model, files[50])


@pytest.mark.parametrize('name, depth', [('2d-18', 50), ('2d-50', 18), ('3d-18', 50), ('3x1x1-50', 18)])
def test_weights_of_another_depth_are_refused(name, depth, files):
    model = BACKBONES[name](pretrained=files[depth])
    with pytest.raises(
        ValueError, match=rf'holds no weights of a ResNet-{name[-2:]} as .* tensors do not fit, the first'
    ):
        model.init_weights()


@pytest.mark.parametrize(('name', 'in_channels'), [('2d-18', 10), ('2d-50', 2), ('3d-18', 2), ('3x1x1-50', 4)])
def test_every_input_channel_gets_the_mean_over_rgb(name, in_channels, files, caplog):
    path = files[int(name[-2:])]
    model = BACKBONES[name](pretrained=path, in_channels=in_channels)
    with caplog.at_level(logging.WARNING):
        model.init_weights()
    assert 'mismatch' not in caplog.text and 'conv1' not in caplog.text
    first = model.conv1.conv.weight
    assert first.shape[1] == in_channels and isinstance(first, torch.nn.Parameter) and first.requires_grad
    summed = first.sum(2) if first.ndim == 5 else first  # over time
    mean = torch.load(path)['conv1.weight'].mean(1, keepdim=True)
    assert torch.allclose(summed, mean.expand_as(summed), rtol=1e-5)
    assert torch.equal(model.conv1.bn.bias, torch.load(path)['bn1.bias'])
    rgb = BACKBONES[name](pretrained=path)
    rgb.init_weights()
    others = {key: value for key, value in rgb.state_dict().items() if key not in ('conv1.conv.weight',)}
    assert all(torch.equal(model.state_dict()[key], value) for key, value in others.items() if 'flow' not in key)


def test_grey_clips_give_the_features_of_rgb_up_to_the_number_of_channels(files):
    rgb, single = (RepFlowResNet(18, in_channels=channels, pretrained=files[18]).eval() for channels in (3, 1))
    for model in (rgb, single):
        model.init_weights()
    grey = torch.rand(2, 1, 32, 32)
    assert torch.allclose(rgb.conv1.conv(grey.expand(-1, 3, -1, -1)) / 3, single.conv1.conv(grey), rtol=1e-4)


def test_report_says_that_the_first_convolution_is_averaged(files):
    report = check_pretrained(RepFlowResNet(18, in_channels=10), files[18])
    assert report.startswith(f'{files[18]}: 120 of 122 tensors go into RepFlowResNet;')
    assert report.endswith('; conv1.weight: mean over RGB, repeated for 10 channels')
    assert 'mean over RGB' not in check_pretrained(RepFlowResNet(18), files[18])


def test_weights_of_the_same_input_are_taken_as_they_are(files, tmp_path):
    weights = torch.load(files[18]) | {'conv1.weight': torch.rand(64, 10, 7, 7)}
    torch.save(weights, tmp_path / 'flow.pth')
    model = RepFlowResNet(18, in_channels=10, pretrained=str(tmp_path / 'flow.pth'))
    model.init_weights()
    assert torch.equal(model.conv1.conv.weight, weights['conv1.weight'])


def test_weights_of_an_input_that_is_not_rgb_are_refused(files, tmp_path):
    weights = torch.load(files[18]) | {'conv1.weight': torch.rand(64, 10, 7, 7)}
    torch.save(weights, tmp_path / 'flow.pth')
    model = RepFlowResNet(18, in_channels=4, pretrained=str(tmp_path / 'flow.pth'))
    with pytest.raises(ValueError, match=r'conv1.weight has shape \(64, 10, 7, 7\), needed is \(64, 4, 7, 7\)'):
        model.init_weights()


def test_first_convolution_is_the_backbones_own_after_a_failure(files):
    model = RepFlowResNet(18, in_channels=10)
    before = model.conv1.conv.weight
    with pytest.raises(RuntimeError, match='stop'), averaged_over_rgb(model, files[18]):
        assert model.conv1.conv.weight.shape[1] == 3
        raise RuntimeError('stop')
    assert model.conv1.conv.weight is before


def test_weights_that_are_missing_are_named(files, tmp_path):
    weights = torch.load(files[18])
    del weights['layer4.1.bn2.running_mean']
    torch.save(weights, tmp_path / 'cut.pth')
    with pytest.raises(
        ValueError, match='1 of 120 tensors do not fit, the first: layer4.1.bn2.running_mean is missing'
    ):
        RepFlowResNet(18, pretrained=str(tmp_path / 'cut.pth')).init_weights()


def test_files_without_batch_counters_load(files, tmp_path):
    weights = {key: value for key, value in torch.load(files[18]).items() if 'num_batches' not in key}
    torch.save(weights, tmp_path / 'old.pth')
    assert '100 of 102 tensors' in check_pretrained(RepFlowResNet(18), str(tmp_path / 'old.pth'))
