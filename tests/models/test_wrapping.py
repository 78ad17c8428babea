from torch import nn

from repflow_mm.models.wrapping import unwrapped


def test_the_network_inside_of_a_wrapper():
    network = nn.Linear(2, 2)
    assert unwrapped(nn.DataParallel(network)) is network and unwrapped(network) is network
