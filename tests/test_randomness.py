import random

import numpy as np
import pytest
import torch

from repflow_mm.randomness import SAMPLE, STEP, seed_everything, seeded


def draw():
    """A number of each library's."""
    return random.random(), np.random.rand(), torch.rand(()).item()


def drawn_within(*numbers):
    with seeded(*numbers):
        return draw()


def test_draws_follow_the_numbers_alone():
    first = drawn_within(SAMPLE, 3, 5, 7)
    draw()
    assert drawn_within(SAMPLE, 3, 5, 7) == first
    seed_everything(SAMPLE, 3, 5, 7)
    assert draw() == first


@pytest.mark.parametrize('numbers', [(STEP, 3, 5, 7), (SAMPLE, 4, 5, 7), (SAMPLE, 3, 7, 5), (SAMPLE, 3, 5, 8)])
def test_other_numbers_draw_differently(numbers):
    assert not set(drawn_within(*numbers)) & set(drawn_within(SAMPLE, 3, 5, 7))


def test_what_is_drawn_outside_knows_nothing_of_it():
    seed_everything(STEP, 1, 2, 3)
    expected = [draw(), draw()]
    seed_everything(STEP, 1, 2, 3)
    found = [draw()]
    with pytest.raises(KeyError), seeded(SAMPLE, 1, 2, 3):
        draw()
        raise KeyError
    assert [*found, draw()] == expected
