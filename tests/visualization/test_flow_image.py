import math

import pytest
import torch

from repflow_mm.models import RepFlowResNet
from repflow_mm.ops import normalize_flow_input, rep_flow
from repflow_mm.visualization import flow_legend, flow_to_image
from repflow_mm.visualization.layer_flow import recorded_flow


def colour(x, y, **settings):
    return flow_to_image(torch.tensor([x, y], dtype=torch.float32)[:, None, None], **settings).flatten().tolist()


@pytest.mark.parametrize(
    ('flow', 'expected'),
    [((1, 0), [255, 0, 0]), ((-1, 0), [0, 209, 255]), ((0, 1), [255, 229, 0]), ((0, -1), [87, 0, 255])],
    ids=['right', 'left', 'down', 'up'],
)
def test_colours_of_the_middlebury_benchmark(flow, expected):
    assert colour(*flow) == expected


def test_length_is_saturation():
    assert colour(0.5, 0, max_flow=1) == [255, 127, 127]
    assert colour(0, 0, max_flow=1) == colour(0, 0) == [255, 255, 255]
    assert colour(7, 0, max_flow=1) == colour(1, 0, max_flow=1)


def test_scale_is_that_of_the_longest_flow():
    flow = torch.randn(3, 2, 5, 6)
    longest = flow.square().sum(1).sqrt().max()
    image = flow_to_image(flow)
    assert image.shape == (3, 3, 5, 6) and image.dtype == torch.uint8
    assert torch.equal(image, flow_to_image(flow, float(longest)))
    assert torch.equal(flow_to_image(flow * 100), image)
    assert torch.equal(flow_to_image(flow[1], float(longest)), image[1])


@pytest.mark.parametrize('value', [torch.nan, torch.inf])
def test_flow_that_is_not_finite_is_black(value):
    flow = torch.ones(2, 2, 2)
    flow[0, 1, 1] = value
    image = flow_to_image(flow)
    assert image[:, 1, 1].tolist() == [0, 0, 0]
    assert torch.equal(image[:, 0], flow_to_image(torch.ones(2, 2, 2))[:, 0])


def test_legend_points_away_from_the_middle():
    legend = flow_legend(65)
    assert legend.shape == (3, 65, 65)
    assert legend[:, 32, 32].tolist() == [255, 255, 255] == legend[:, 0, 0].tolist()
    assert legend[:, 32, 64].tolist() == colour(1, 0)
    assert legend[:, 64, 32].tolist() == colour(0, 1)


@pytest.mark.parametrize(
    ('arguments', 'error', 'message'),
    [
        (([1.0, 2.0],), TypeError, 'flow must be a floating-point tensor, got list'),
        (
            (torch.zeros(2, 4, 4, dtype=torch.int32),),
            TypeError,
            'flow must be a floating-point tensor, got torch.int32',
        ),
        ((torch.zeros(3, 4, 4),), ValueError, r'flow must have shape \(2, H, W\) or .* got \(3, 4, 4\)'),
        ((torch.zeros(2, 4, 4), -1.0), ValueError, 'max_flow must be a positive number of pixels or None, got -1.0'),
    ],
)
def test_bad_argument(arguments, error, message):
    with pytest.raises(error, match=message):
        flow_to_image(*arguments)


def test_legend_too_small():
    with pytest.raises(ValueError, match='size must be >= 2, got 1'):
        flow_legend(1)


def moving_texture(angle, frames=2, size=48, speed=0.5):
    """A smooth texture that moves ``speed`` pixels a frame in the direction ``angle`` (y down), (1, 1, T, H, W)."""
    generator = torch.Generator().manual_seed(0)
    waves = torch.randn(24, 2, generator=generator) * 0.35
    phases = torch.rand(24, generator=generator) * 2 * math.pi
    y, x = torch.meshgrid(torch.arange(size) * 1.0, torch.arange(size) * 1.0, indexing='ij')
    clip = [
        sum(
            torch.sin(w[0] * (x - t * speed * math.cos(angle)) + w[1] * (y - t * speed * math.sin(angle)) + phase)
            for w, phase in zip(waves, phases)
        )
        for t in range(frames)
    ]
    return torch.stack(clip)[None, None]


@pytest.mark.parametrize('eighth', range(8))
def test_the_solvers_flow_has_the_colour_of_the_motion(eighth):
    angle = eighth * math.pi / 4
    u = rep_flow(normalize_flow_input(moving_texture(angle)), 0.3, 0.15, 0.25, num_iters=50)  # (1, 2, 1, H, W)
    flow = u[0, :, 0]
    mean = flow.mean(dim=(1, 2))
    off = math.degrees(math.atan2(mean[1], mean[0]) - angle)
    assert abs((off + 180) % 360 - 180) <= 15
    # The colour of the mean is nearest to that of its own direction among the eight.
    wheel = torch.tensor([colour(math.cos(k * math.pi / 4), math.sin(k * math.pi / 4)) for k in range(8)])
    image = flow_to_image((mean / mean.norm())[:, None, None]).flatten()
    assert (wheel - image).abs().sum(1).argmin() == eighth


@pytest.mark.parametrize('eighth', range(8))
def test_a_flow_layer_inside_of_a_network_sees_the_motion(eighth):
    """Untrained features move as the frames do; a step of 2 pixels is half a pixel on the layer's grid."""
    torch.manual_seed(0)
    network = RepFlowResNet(18, num_segments=4, flow=dict(after='block1', channels=8, num_iters=50)).eval()
    angle = eighth * math.pi / 4
    clip = moving_texture(angle, frames=4, size=96, speed=2).expand(-1, 3, -1, -1, -1)  # (1, 3, T, H, W)
    with torch.no_grad(), recorded_flow(network) as flows:
        network(clip)
    mean = next(iter(flows.values())).mean(dim=(0, 2, 3, 4, 5))  # (2,)
    off = math.degrees(math.atan2(mean[1], mean[0]) - angle)
    assert abs((off + 180) % 360 - 180) <= 15
