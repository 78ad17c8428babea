"""Image pairs of known flow, exact to the rounding to 8 bits: functions of the place, sampled at places moved by it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

WAVES = 96
WAVELENGTHS = (5.0, 80.0)

Pattern = Callable[[Tensor, Tensor], Tensor]


def random_pattern(generator: torch.Generator) -> Pattern:
    """A texture with edges, defined at every place: plane waves of random direction and length, squashed to grey."""
    shortest, longest = (math.log(length) for length in WAVELENGTHS)
    lengths = torch.exp(shortest + torch.rand(WAVES, generator=generator) * (longest - shortest))
    angles, phases = (2 * math.pi * torch.rand(WAVES, generator=generator) for _ in range(2))
    amplitudes = torch.randn(WAVES, generator=generator) * (lengths / WAVELENGTHS[1]) ** 0.5
    amplitudes = amplitudes / amplitudes.norm() * 2

    def pattern(x: Tensor, y: Tensor) -> Tensor:
        values = torch.zeros_like(x)
        for length, angle, phase, amplitude in torch.stack((lengths, angles, phases, amplitudes), dim=1).tolist():
            along = math.cos(angle) * x + math.sin(angle) * y
            values += amplitude * torch.cos(2 * math.pi / length * along + phase)
        return 127.5 + 110 * torch.tanh(values)

    return pattern


def _translation(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return torch.full_like(x, 2.6), torch.full_like(y, -1.3)


def _turn_and_zoom(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    cosine, sine = 1.02 * math.cos(0.03), 1.02 * math.sin(0.03)
    return (cosine - 1) * x - sine * y, sine * x + (cosine - 1) * y


def _shear(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return 0.03 * y, -0.01 * x


def _swirls(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return 2 * torch.sin(y / 14) * torch.cos(x / 25), 1.5 * torch.sin(x / 18)


def _still(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return torch.zeros_like(x), torch.zeros_like(y)


def _disc_shift(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return torch.full_like(x, -3.4), torch.full_like(y, 1.7)


# Of the background and, where something moves on its own, of a disc in front of it.
WARPS = {
    'translation': (_translation, None),
    'turn and zoom': (_turn_and_zoom, None),
    'shear': (_shear, None),
    'swirls': (_swirls, None),
    'disc on a still ground': (_still, _disc_shift),
}


def draw_pair(warp: str, size: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """One pair of a warp.

    Args:
        warp (str): A name out of ``WARPS``.
        size (int): Side of the images.
        seed (int): Of the textures.

    Returns:
        tuple[Tensor, Tensor, Tensor]: The first and the second image, (1, size, size), uint8, and the flow from the
        first to the second, (2, size, size), in pixels, x first.
    """
    generator = torch.Generator().manual_seed(seed)
    ground, disc = random_pattern(generator), random_pattern(generator)
    places = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    y, x = torch.meshgrid(places, places, indexing='ij')  # (size, size) each
    move_ground, move_disc = WARPS[warp]
    flow = torch.stack(move_ground(x, y))  # (2, size, size)
    # The second image is the pattern itself, the first the pattern at the places that the flow leads to.
    first, second = ground(x + flow[0], y + flow[1]), ground(x, y)
    if move_disc is not None:
        disc_flow = torch.stack(move_disc(x, y))
        before, after = (_in_disc(x, y, size), _in_disc(x - disc_flow[0], y - disc_flow[1], size))
        flow = torch.where(before, disc_flow, flow)
        first = torch.where(before, disc(x + disc_flow[0], y + disc_flow[1]), first)
        second = torch.where(after, disc(x, y), second)
    return first.round().to(torch.uint8)[None], second.round().to(torch.uint8)[None], flow


def _in_disc(x: Tensor, y: Tensor, size: int) -> Tensor:
    return x**2 + y**2 < (0.3 * size) ** 2


def draw_batch(size: int, num_pairs: int) -> tuple[Tensor, Tensor, Tensor]:
    """``num_pairs`` pairs, all warps in turn: images (N, 1, size, size), uint8, and flows (N, 2, size, size)."""
    names = list(WARPS)
    pairs = [draw_pair(names[i % len(names)], size, seed=i) for i in range(num_pairs)]
    return tuple(torch.stack(tensors) for tensors in zip(*pairs))


def mean_by_warp(values: Sequence[float]) -> dict[str, float]:
    """The mean of each warp's values, of which each pair of :func:`draw_batch` has one; of a warp without pairs NaN."""
    own = {name: values[i :: len(WARPS)] for i, name in enumerate(WARPS)}
    return {name: sum(some) / len(some) if some else math.nan for name, some in own.items()}
