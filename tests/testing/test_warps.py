import math

import pytest
import torch

from repflow_mm.ops.image_pairs import stays_inside, warp
from repflow_mm.testing.warps import WARPS, draw_batch, draw_pair, mean_by_warp


@pytest.mark.parametrize('name', WARPS)
def test_flow_leads_from_the_first_image_to_the_second(name):
    first, second, flow = draw_pair(name, 64, seed=3)
    u = flow[None].split(1, dim=1)
    found = warp(second[None].double(), *u)
    difference = ((found - first).abs() * stays_inside(*u))[..., 8:-8, 8:-8]
    # The textures are finer than what cubic convolution reproduces; hidden places and edges of the disc differ.
    assert difference.median() < 1
    still = ((second[None].double() - first).abs() * stays_inside(*u))[..., 8:-8, 8:-8]
    assert difference.mean() < 0.4 * still.mean()


def test_the_disc_moves_alone():
    _, _, flow = draw_pair('disc on a still ground', 64, seed=0)
    assert flow[:, 32, 32].tolist() == [-3.4, 1.7]
    assert flow[:, 2, 2].tolist() == [0, 0]


def test_batches_take_the_warps_in_turn():
    prev, following, flow = draw_batch(24, 7)
    assert prev.shape == following.shape == (7, 1, 24, 24) and flow.shape == (7, 2, 24, 24)
    assert prev.dtype == torch.uint8
    assert torch.equal(flow[5], flow[0]) and not torch.equal(prev[5], prev[0])


def test_means_are_of_the_pairs_of_a_warp():
    means = mean_by_warp([1.0, 2.0, 3.0, 4.0, 5.0, 3.0])
    assert list(means.values()) == [2, 2, 3, 4, 5] and list(means) == list(WARPS)
    assert math.isnan(mean_by_warp([1.0])['shear'])
