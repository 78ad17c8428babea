import pytest
import torch
from mmaction.registry import MODELS
from torch import nn

import repflow_mm.models  # noqa: F401
from repflow_mm.models.trial import find_trial, run_trial


class Network(nn.Module):
    """Convolutions in 2D or 3D with a norm and dropout, and perhaps a demand on the input."""

    def __init__(self, dims=3, demand=lambda x: True):
        super().__init__()
        conv, norm = (nn.Conv2d, nn.BatchNorm2d) if dims == 2 else (nn.Conv3d, nn.BatchNorm3d)
        self.stem, self.norm, self.dropout = conv(3, 4, 3, stride=2, padding=1), norm(4), nn.Dropout()
        self.demand = demand

    def forward(self, x):
        if not self.demand(x):
            raise RuntimeError(f'not this: {tuple(x.shape)}')
        return self.dropout(self.norm(self.stem(x)))


def test_outputs_and_the_grid_of_the_first_convolution():
    trial = run_trial(Network(), ['norm', 'stem'], (2, 3, 8, 32, 24))
    assert {name: [tuple(x.shape) for x in outputs] for name, outputs in trial.outputs.items()} == {
        'norm': [(2, 4, 4, 16, 12)],
        'stem': [(2, 4, 4, 16, 12)],
    }
    assert trial.grid == ('stem', (4, 16, 12)) and trial.error is None and trial.is_complete


def test_the_network_stays_as_it_was():
    network = Network().train()
    network.norm.eval()
    parameters, state = list(network.parameters()), {k: v.clone() for k, v in network.state_dict().items()}
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    for device in ('meta', None):
        run_trial(network, ['norm'], (2, 3, 8, 32, 24), device)
    assert torch.equal(torch.rand(1), expected)
    assert [module.training for module in network.modules()] == [True, True, False, True]
    assert all(a is b for a, b in zip(network.parameters(), parameters))
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize('dims, shape', [(3, (2, 3, 16, 224, 160)), (2, (2 * 5, 3, 224, 160))])
def test_clips_and_frames(dims, shape):
    assert find_trial(Network(dims), ['norm'], 5 if dims == 2 else None).input.shape == shape


def test_num_segments_is_the_first_length_to_try():
    assert find_trial(Network(), ['norm'], 5).input.shape[2] == 5


@pytest.mark.parametrize('size', [(8, 224, 224), (32, 112, 112), (4, 48, 48)])
def test_fixed_sizes_are_found(size):
    network = Network(demand=lambda x: tuple(x.shape[2:]) == size)
    assert tuple(find_trial(network, ['norm'], None).input.shape) == (2, 3, *size)


def test_channels_are_those_of_the_first_convolution():
    network = Network()
    network.stem = nn.Conv3d(10, 4, 3)
    assert find_trial(network, ['norm'], None).input.shape[1] == 10


def test_a_network_that_computes_with_values_gets_real_numbers():
    network = Network(demand=lambda x: x.sum().item() == 0)
    trial = find_trial(network, ['norm'], None)
    assert trial.input.device.type == 'cpu' and trial.error is None


def test_an_error_after_the_modules_does_not_matter():
    network = Network()
    network.dropout = nn.Linear(7, 7)
    trial = find_trial(network, ['norm'], None)
    assert trial.error is not None and trial.is_complete and len(trial.outputs['norm']) == 1


def test_input_shape_is_the_only_one_tried():
    network = Network(demand=lambda x: x.shape[-1] == 40)
    assert find_trial(network, ['norm'], None, (3, 6, 40, 40)).input.shape == (2, 3, 6, 40, 40)
    frames = Network(2, demand=lambda x: x.shape[-1] == 40)
    assert find_trial(frames, ['norm'], 3, (3, 40, 40)).input.shape == (2 * 3, 3, 40, 40)
    with pytest.raises(
        ValueError, match=r'takes none of the 2 inputs .* \(RuntimeError: not this: \(2, 3, 6, 41, 41\)\)'
    ):
        find_trial(network, ['norm'], None, (3, 6, 41, 41))


def test_refusals_are_reported():
    with pytest.raises(
        ValueError,
        match=r'^Network takes none of the \d+ inputs that were tried, of shapes \(2, 3, 16, 224, 160\) \(Runt',
    ) as error:
        find_trial(Network(demand=lambda x: False), ['norm'], None)
    assert 'give num_segments, the frames T of one clip; otherwise give input_shape' in str(error.value)


def test_nothing_cached_in_the_trial_reaches_a_real_pass():
    cfg = dict(
        type='SwinTransformer3D',
        arch=dict(embed_dims=8, depths=[2], num_heads=[2]),
        pretrained2d=False,
        window_size=(2, 7, 7),
        out_indices=(0,),
    )
    torch.manual_seed(0)
    network = MODELS.build(cfg)
    network.train(False)
    x = torch.rand(1, 3, 16, 224, 160)
    trial = find_trial(network, ['layers.0'], None)
    assert trial.input.is_meta and trial.input.shape[2:] == x.shape[2:]
    assert network(x).isfinite().all()
