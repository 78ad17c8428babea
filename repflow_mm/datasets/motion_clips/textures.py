"""Procedural textures without borders or a natural scale, sampled exactly under similarity transforms."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

SHORTEST_WAVELENGTH = 4.0
MIN_OCTAVES = 3
WAVES_PER_OCTAVE = 24


def num_octaves_for(size: int) -> int:
    """Octaves of wavelengths from 4 pixels to about the side ``size`` of the frame, at least 3."""
    return max(MIN_OCTAVES, round(math.log2(size / SHORTEST_WAVELENGTH)))


@dataclass(frozen=True)
class WaveTexture:
    """A sum of random plane waves in two colours that looks alike at every place, angle and magnification.

    A wave's amplitude depends on its wavelength *on the screen* and is zero at both ends of the range of
    wavelengths; a wave that leaves the range at one end enters it anew at the other. The waves' octaves, phases and
    the texture's orientation are uniform, therefore a translated, turned or zoomed texture has exactly the
    distribution of an untouched one, which no cut-out of a finite picture has, and nothing below the sampling limit
    appears when zooming out.

    Attributes:
        directions (np.ndarray): Angles of the wave vectors, (n,), in radians.
        octaves (np.ndarray): Wavelengths, (n,), in octaves above the shortest one, in [0, num_octaves).
        phases (np.ndarray): (n,), in radians.
        weights (np.ndarray): Amplitudes of the waves in the two layers, (2, n).
        gains (np.ndarray): Hardness of the edges of the two layers, (2,).
        colours (np.ndarray): Colours that the layers add, (2, 3), in grey levels.
        background (np.ndarray): Colour where both layers are zero, (3,), in grey levels.
        num_octaves (int): Length of the range of wavelengths.
    """

    directions: np.ndarray
    octaves: np.ndarray
    phases: np.ndarray
    weights: np.ndarray
    gains: np.ndarray
    colours: np.ndarray
    background: np.ndarray
    num_octaves: int

    @classmethod
    def random(cls, rng: np.random.Generator, num_octaves: int) -> WaveTexture:
        """Draw a texture: its waves, orientation, elongation, edges and colours."""
        n = WAVES_PER_OCTAVE * num_octaves
        angles = rng.uniform(0, 2 * np.pi, n)
        elongation = rng.uniform(1, 2)
        # Nearly grey at first, so that every texture has contrast in luminance, the channel that codecs keep.
        tints = np.stack((1 + rng.normal(0, 0.4, 3), rng.normal(0, 1, 3)))
        tints /= np.linalg.norm(tints, axis=1, keepdims=True)
        return cls(
            directions=np.arctan2(elongation * np.sin(angles), np.cos(angles)) + rng.uniform(0, 2 * np.pi),
            # One wave in each equal part of the range: no octave is empty.
            octaves=(np.arange(n) / WAVES_PER_OCTAVE + rng.uniform(0, num_octaves)) % num_octaves,
            phases=rng.uniform(0, 2 * np.pi, n),
            weights=rng.normal(0, 1, (2, n)),
            gains=rng.uniform(0.8, 2.0, 2),
            colours=tints * rng.uniform((60, 30), (100, 60))[:, None] * rng.choice((-1, 1), (2, 1)),
            background=rng.uniform(90, 165, 3),
            num_octaves=num_octaves,
        )

    def render(self, size: int, linear: complex = 1, shift: complex = 0) -> np.ndarray:
        """The texture after the transform ``p -> linear * p + shift``, seen through a square frame.

        Args:
            size (int): Side of the frame, in pixels.
            linear (complex): Magnification and clockwise turn about the centre of the frame. Defaults to 1.
            shift (complex): Translation in pixels, x + iy with y down. Defaults to 0.

        Returns:
            np.ndarray: (size, size, 3), float32, in grey levels, not clipped.
        """
        octaves = (self.octaves + np.log2(abs(linear))) % self.num_octaves
        amplitudes = np.sin(np.pi * octaves / self.num_octaves) ** 2
        wave_numbers = 2 * np.pi / (SHORTEST_WAVELENGTH * 2**octaves)
        directions = self.directions + np.angle(linear)
        k_x, k_y = wave_numbers * np.cos(directions), wave_numbers * np.sin(directions)  # (n,)
        places = np.arange(size) - (size - 1) / 2
        along_x = np.outer(k_x, places - shift.real).astype(np.float32)  # (n, W)
        along_y = (np.outer(places - shift.imag, k_y) + self.phases).astype(np.float32)  # (H, n)
        # cos(a + b) = cos a cos b - sin a sin b makes the sum over the waves one matrix product for each layer.
        right = np.concatenate((np.cos(along_x), -np.sin(along_x)))  # (2n, W)
        left = np.concatenate((np.cos(along_y), np.sin(along_y)), axis=1)  # (H, 2n)
        scaled = (self.weights * amplitudes / self._deviation()).astype(np.float32)  # (2, n)
        fields = (left * np.tile(scaled, 2)[:, None]) @ right  # (2, H, 2n) @ (2n, W) -> (2, H, W)
        layers = np.tanh(self.gains[:, None, None] * fields)
        frame = np.tensordot(layers, self.colours, axes=(0, 0)) + self.background  # (H, W, 3)
        return frame.astype(np.float32)

    def _deviation(self) -> float:
        """Standard deviation of a layer whose weights have variance 1; the same at every magnification."""
        # The mean of sin^4 is 3 / 8, and a wave of amplitude 1 has variance 1 / 2.
        return math.sqrt(len(self.octaves) * 3 / 8 / 2)
