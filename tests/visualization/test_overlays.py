import math

import pytest
import torch

from repflow_mm.visualization import flow_arrows, flow_overlay, flow_to_image

GREY = torch.full((3, 64, 96), 90, dtype=torch.uint8)


def uniform(x, y, height=8, width=12):
    return torch.tensor([x, y], dtype=torch.float32)[:, None, None].expand(2, height, width)


def test_overlay_of_no_flow_is_the_picture_in_grey():
    image = torch.randint(0, 256, (3, 16, 16), dtype=torch.uint8)
    overlay = flow_overlay(image, torch.zeros(2, 4, 4), max_flow=1)
    grey = image.float().mean(0).round().to(torch.uint8)
    assert torch.equal(overlay, grey.expand(3, -1, -1))


@pytest.mark.parametrize('eighth', range(8))
def test_overlay_of_the_longest_flow_has_its_colour(eighth):
    flow = uniform(math.cos(eighth * math.pi / 4), math.sin(eighth * math.pi / 4))
    assert torch.equal(
        flow_overlay(GREY, flow * 3, max_flow=3, opacity=1), flow_to_image(flow, 1)[:, :1, :1].expand_as(GREY)
    )


def test_overlay_mixes_by_length_and_opacity():
    overlay = flow_overlay(GREY, uniform(1, 0), max_flow=2, opacity=0.5)
    assert overlay[:, 10, 10].tolist() == [round(90 + 0.25 * (255 - 90)), round(0.75 * 90), round(0.75 * 90)]


@pytest.mark.parametrize(('x', 'y'), [(1, 0), (-1, 0), (0, 1), (0, -1)], ids=['right', 'left', 'down', 'up'])
def test_arrows_point_where_the_flow_goes(x, y):
    arrows = flow_arrows(GREY, uniform(x, y), spacing=32).float().mean(0)
    assert arrows.shape == (64, 96)
    drawn = (arrows[:32, :32] > 200).nonzero().float()  # one square of the grid, whose arrow is in its middle
    # The two strokes of the head are towards the tip.
    towards = (drawn - 15.5).mean(0)  # (y, x)
    assert towards[1] * x + towards[0] * y > 1


def test_short_flow_has_no_arrow():
    flow = uniform(0.1, 0).clone()
    flow[0, :, :6] = 1
    changed = flow_arrows(GREY, flow, spacing=16) != GREY
    assert changed[:, :, :48].any() and not changed[:, :, 56:].any()


def test_arrows_leave_the_picture_that_was_given():
    image = GREY.clone()
    flow_arrows(image, uniform(1, 1))
    assert torch.equal(image, GREY)


@pytest.mark.parametrize(
    ('draw', 'arguments', 'error', 'message'),
    [
        (flow_arrows, (GREY.float(), uniform(1, 0)), TypeError, 'image must be a uint8 tensor, got torch.float32'),
        (flow_overlay, (GREY[None], uniform(1, 0)), ValueError, r'image must have shape \(3, H, W\), got \(1, 3,'),
        (flow_overlay, (GREY, uniform(1, 0), None, 2), ValueError, r'opacity must be in \[0, 1\], got 2'),
        (flow_overlay, (GREY, uniform(1, 0), -1), ValueError, 'max_flow must be a positive number of pixels or None'),
        (flow_arrows, (GREY, uniform(1, 0), None, 2), ValueError, 'spacing must be >= 4, got 2'),
        (flow_arrows, (GREY, torch.zeros(4, 4)), ValueError, r'flow must have shape \(2, H, W\) .* got \(4, 4\)'),
    ],
)
def test_bad_argument(draw, arguments, error, message):
    with pytest.raises(error, match=message):
        draw(*arguments)
