"""Random state that follows from a few numbers alone: the run's seed, and where in the run something is drawn."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

# What is drawn for: a step's dropout masks and blending, a sample's augmentations, a validation with anything random in
# it. Their streams never meet.
STEP, SAMPLE, VALIDATION = 0, 1, 2


def seed_everything(*numbers: int) -> None:
    """Seed Python, NumPy and torch, on every device, of this process.

    Args:
        numbers (int): What the seeds follow from, each >= 0; other numbers, or another order, give other seeds.
    """
    python, numpy, torch_seed = _seeds(numbers)
    random.seed(python)
    np.random.seed(numpy)
    torch.manual_seed(torch_seed)


def seed_cpu(*numbers: int) -> None:
    """Seed Python, NumPy and torch on the CPU, as :func:`seed_everything` does, but no accelerator."""
    python, numpy, torch_seed = _seeds(numbers)
    random.seed(python)
    np.random.seed(numpy)
    # Not torch.manual_seed, which would seed the accelerators too.
    torch.default_generator.manual_seed(torch_seed)


@contextmanager
def kept_random_state() -> Iterator[None]:
    """Python's, NumPy's and torch's random state on the CPU is after the block what it is before."""
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])


@contextmanager
def seeded(*numbers: int) -> Iterator[None]:
    """Seed Python, NumPy and torch on the CPU for a while; what is drawn before and after knows nothing of it.

    Args:
        numbers (int): What the seeds follow from, as for :func:`seed_everything`.
    """
    with kept_random_state():
        seed_cpu(*numbers)
        yield


def _seeds(numbers: tuple[int, ...]) -> list[int]:
    return [int(seed) for seed in np.random.SeedSequence(numbers).generate_state(3)]
