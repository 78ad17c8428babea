import cmath
from dataclasses import replace

import numpy as np
import pytest

from repflow_mm.datasets.motion_clips.textures import WaveTexture, num_octaves_for

SIZE = 32


@pytest.fixture
def texture():
    return WaveTexture.random(np.random.default_rng(0), num_octaves=4)


def test_num_octaves_spans_the_frame():
    assert [num_octaves_for(size) for size in (8, 32, 64, 224)] == [3, 3, 4, 6]


def test_frame_is_the_sum_of_its_waves(texture):
    frame = texture.render(SIZE, linear=1, shift=0)
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    k = 2 * np.pi / (4 * 2**texture.octaves)
    amplitudes = texture.weights * np.sin(np.pi * texture.octaves / 4) ** 2
    phase = (k * np.cos(texture.directions)) * x[..., None] + (k * np.sin(texture.directions)) * y[..., None]
    fields = np.cos(phase + texture.phases) @ amplitudes.T / np.sqrt(96 * 3 / 16)  # (H, W, 2)
    expected = np.tanh(texture.gains * fields) @ texture.colours + texture.background
    np.testing.assert_allclose(frame, expected, atol=0.01)


def test_shift_moves_the_picture(texture):
    still, moved = texture.render(SIZE), texture.render(SIZE, shift=5 - 3j)
    np.testing.assert_allclose(moved[:-3, 5:], still[3:, :-5], atol=0.05)


def test_quarter_turn_is_clockwise(texture):
    # np.rot90 turns anticlockwise as seen on the screen.
    np.testing.assert_allclose(texture.render(SIZE, linear=1j), np.rot90(texture.render(SIZE), -1), atol=0.05)


def test_magnification_moves_points_away_from_the_centre(texture):
    # Waves round 1.5 octaves go to 2.5, where their amplitudes are about the same.
    texture = replace(texture, octaves=1.4 + texture.octaves * 0.05)
    still, larger = texture.render(65) - texture.background, texture.render(129, linear=2) - texture.background
    similarity = np.corrcoef(larger[::2, ::2].ravel(), still.ravel())[0, 1]
    assert similarity > 0.99


@pytest.mark.parametrize('magnification', [2.0**4, 2.0**-8])
def test_scale_is_periodic(texture, magnification):
    np.testing.assert_allclose(texture.render(SIZE, linear=magnification), texture.render(SIZE), atol=0.05)


def test_transformed_texture_is_a_texture_of_the_same_distribution(texture):
    """A transform only moves what is uniform: octaves round their range, directions and phases round the circle."""
    linear, shift = cmath.rect(1.7, 0.6), 2.5 - 4j
    octaves = (texture.octaves + np.log2(1.7)) % 4
    directions = texture.directions + 0.6
    k = 2 * np.pi / (4 * 2**octaves) * np.exp(1j * directions)
    phases = texture.phases - (k.conjugate() * shift).real
    moved = replace(texture, octaves=octaves, directions=directions, phases=phases)
    np.testing.assert_allclose(moved.render(SIZE), texture.render(SIZE, linear, shift), atol=0.05)
