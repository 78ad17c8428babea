"""The methods by name: what they find, their parameters, and what is refused."""

from dataclasses import asdict

import pytest
import torch
from torch.testing import assert_close

from repflow_mm.classical_flow.methods import METHODS, make_parameters, method_named
from repflow_mm.ops import brox_flow, tvl1_flow


def moved_pair(u_x, u_y, size=48):
    """Two grey images (1, 1, size, size), uint8, of waves, the second moved by (u_x, u_y)."""
    generator = torch.Generator().manual_seed(0)
    waves = (torch.rand(12, 2, generator=generator) - 0.5) * 0.9
    phases = torch.rand(12, 1, 1, generator=generator) * 6.3
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing='ij')

    def image(shift_x, shift_y):
        angles = waves[:, :1, None] * (x - shift_x) + waves[:, 1:, None] * (y - shift_y) + phases
        return (127.5 + 300 * torch.sin(angles).mean(0)).round().clamp(0, 255).to(torch.uint8)[None, None]

    return image(0, 0), image(u_x, u_y)


@pytest.mark.parametrize('name', METHODS)
@pytest.mark.parametrize('shift', [(2, 0), (0, -1.5), (-1, 1)], ids=str)
def test_translation_has_the_right_axis_and_sign(name, shift):
    u = METHODS[name].compute(*moved_pair(*shift))
    assert u.shape == (1, 2, 48, 48) and u.dtype == torch.float32
    assert_close(u[0, :, 10:-10, 10:-10].mean(dim=(1, 2)), torch.tensor(shift).float(), rtol=0, atol=0.15)


@pytest.mark.parametrize('name', METHODS)
def test_pairs_of_a_batch_do_not_depend_on_each_other(name):
    pairs = [moved_pair(1, 0), moved_pair(0, 2), moved_pair(-1, -1)]
    prev, following = (torch.cat(images) for images in zip(*pairs))
    together = METHODS[name].compute(prev, following)
    for i, pair in enumerate(pairs):
        assert_close(together[i : i + 1], METHODS[name].compute(*pair))


@pytest.mark.parametrize('name', METHODS)
def test_no_pairs_give_no_flows(name):
    assert METHODS[name].compute(torch.zeros(0, 3, 20, 24), torch.zeros(0, 3, 20, 24)).shape == (0, 2, 20, 24)


@pytest.mark.parametrize('name', METHODS)
def test_grey_and_colour_and_floating_point(name):
    prev, following = moved_pair(1, 0)
    u = METHODS[name].compute(prev, following)
    colour = METHODS[name].compute(*(image.expand(1, 3, 48, 48) for image in (prev, following)))
    assert_close(colour, u, rtol=0, atol=1e-3)
    assert_close(METHODS[name].compute(prev.float(), following.float()), u, rtol=0, atol=0)


def test_own_methods_are_the_operators():
    pair = moved_pair(1, 0)
    few = make_parameters('tvl1', dict(num_warps=1, inner_iters=3))
    assert torch.equal(METHODS['tvl1'].compute(*pair, few), tvl1_flow(*pair, num_warps=1, inner_iters=3))
    few = make_parameters('brox', dict(alpha=1.0, outer_iterations=2))
    assert torch.equal(METHODS['brox'].compute(*pair, few), brox_flow(*pair, alpha=1.0, outer_iterations=2))


@pytest.mark.parametrize(
    ('name', 'values'),
    [('farneback', dict(window=25)), ('farneback', dict(num_iters=1)), ('dis', dict(preset='medium'))],
)
def test_parameters_of_opencv_s_methods_have_an_effect(name, values):
    pair, parameters = moved_pair(1, 0), make_parameters(name, values)
    assert asdict(parameters).items() >= values.items()
    assert not torch.equal(METHODS[name].compute(*pair, parameters), METHODS[name].compute(*pair))


@pytest.mark.parametrize(
    ('name', 'values', 'error', 'message'),
    [
        ('hs', {}, ValueError, r"method must be one of \('tvl1', 'brox', 'farneback', 'dis'\), got 'hs'"),
        ('brox', dict(tau=1), ValueError, r"parameters of 'brox' must have keys from \('alpha', .*\), got 'tau'"),
        ('tvl1', dict(num_warps=0), ValueError, 'num_warps must be >= 1, got 0'),
        (
            'dis',
            dict(preset='slow'),
            ValueError,
            r"preset must be one of \('ultrafast', 'fast', 'medium'\), got 'slow'",
        ),
        ('farneback', dict(window=2.5), TypeError, r'window must be an int, got float 2\.5'),
        ('farneback', dict(num_levels=0), ValueError, 'num_levels must be >= 1, got 0'),
        ('farneback', dict(sigma=0), ValueError, 'sigma must be > 0, got 0'),
        ('farneback', dict(sigma='a'), TypeError, "sigma must be a number, got str 'a'"),
        ('farneback', dict(scale_factor=1), ValueError, 'scale_factor must be between 0 and 1, both excluded, got 1'),
        ('farneback', dict(neighbours=6), ValueError, r'neighbours must be one of \(5, 7\), got 6'),
    ],
    ids=str,
)
def test_wrong_parameters(name, values, error, message):
    with pytest.raises(error, match=message):
        make_parameters(name, values)


def test_images_are_checked():
    with pytest.raises(ValueError, match='got values from 300 to 300'):
        method_named('dis').compute(torch.full((1, 1, 16, 16), 300.0), torch.zeros(1, 1, 16, 16))
    with pytest.raises(ValueError, match=r'images must have H, W >= 12, got \(11, 40\)'):
        method_named('dis').compute(torch.zeros(1, 1, 11, 40), torch.zeros(1, 1, 11, 40))
