import pytest
import torch
from torch import nn

from repflow_mm.models import RepFlowResNet, RepresentationFlow
from repflow_mm.visualization.layer_flow import clamped_share, flow_layers, recorded_flow, short_name


def test_flow_of_every_layer_by_its_name():
    flow = dict(after='block1', channels=4, num_iters=2, steps=('flow', 'conv', 'flow'))
    network = RepFlowResNet(18, num_segments=4, flow=flow).eval()
    with recorded_flow(network) as flows, torch.no_grad():
        assert flows == {}
        network(torch.rand(2, 3, 4, 32, 32))
    steps = 'flow_blocks.block1.steps'
    assert {name: tuple(u.shape) for name, u in flows.items()} == {
        f'{steps}.flow0': (2, 2, 4, 3, 8, 8),
        f'{steps}.flow2': (2, 2, 4, 2, 8, 8),
    }
    first = flows[f'{steps}.flow0'].clone()
    with torch.no_grad():
        network(torch.rand(1, 3, 4, 32, 32))
    assert torch.equal(flows[f'{steps}.flow0'], first), 'nothing is recorded after the context'


def test_network_without_flow():
    with pytest.raises(ValueError, match='Linear has no RepresentationFlow layer'), recorded_flow(nn.Linear(1, 1)):
        pass


def test_short_names():
    assert short_name('backbone.flow_blocks.block3.steps.flow0') == 'block3.flow0'
    assert short_name('flow_blocks.layer2_1.steps.flow2') == 'layer2_1.flow2'
    assert short_name('flow') == 'flow'


def test_layers_by_name():
    network = nn.Sequential(nn.Identity(), RepresentationFlow(2))
    assert flow_layers(network) == {'1': network[1]}


def test_share_of_clamped_pixels_by_hand():
    """A ramp of slope 1, brighter by b in the next frame: rho = b at u = 0, and the limit is lam * theta."""
    layer = RepresentationFlow(1, theta=0.5, lam=4.0)
    first = torch.arange(8.0).expand(6, 8)
    for brighter, expected in ((1.5, 0.0), (2.5, 1.0)):
        x = torch.stack((first, first + brighter))[None, None]  # (1, 1, 2, 6, 8)
        inner = torch.zeros(1, 2, 1, 6, 8)
        # At the edges the released layer's gradient is half a difference.
        share = clamped_share(layer, x, inner)
        edges = 2 / 8
        assert share == pytest.approx(expected * (1 - edges) + edges)


def test_iterations_lower_the_share_of_clamped_pixels():
    layer = RepresentationFlow(3, num_iters=0)
    x = torch.rand(2, 3, 4, 12, 12, generator=torch.Generator().manual_seed(0)) * 255
    shares = []
    for layer.num_iters in (0, 20, 400):
        shares.append(clamped_share(layer, x, layer(x)))
    assert 1 > shares[0] > shares[1] > shares[2] > 0
