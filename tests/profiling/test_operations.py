import re

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.models import FCF, REP_FLOW, build_network
from repflow_mm.profiling.operations import network_operations


@pytest.mark.parametrize('flow', [None, REP_FLOW, FCF], ids=['RGB', 'RepFlow', 'FcF'])
def test_networks(flow):
    network = build_network(18, 4, flow, 'cpu')
    shape = (1, 3, 4, 32, 48)
    outside, inside = network_operations(network, shape)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.rand(shape))
    solvers = {name: c for name, c in counter.get_flop_counts().items() if re.search(r'steps\.flow\d$', name)}
    assert outside == counter.get_total_flops() - sum(sum(c.values()) for c in solvers.values()) > 0
    # The map after block 3 is an eighth of the frame; FcF solves the flow of the flow as well.
    pairs = {None: 0, 'none': 3, 'add': 3 + 2}[flow and flow.get('fusion', 'none')]
    assert inside == 32 * pairs * 4 * 6 * (42 + 20 * 69)


def test_counting_leaves_the_network_as_it_was():
    network = build_network(18, 4, REP_FLOW, 'cpu')
    x = torch.rand(1, 3, 4, 32, 32)
    with torch.no_grad():
        before = network(x)
        network_operations(network, x.shape)
        assert torch.equal(network(x), before)
