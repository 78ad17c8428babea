import pytest
import torch
from torch import nn

from repflow_mm.models import RepFlowResNet
from repflow_mm.visualization.layer_flow import recorded_flow


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
