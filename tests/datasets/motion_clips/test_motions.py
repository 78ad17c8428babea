import math

import numpy as np
import pytest

from repflow_mm.datasets.motion_clips.motions import ACCELERATED_MOTIONS, COMPOUND_MOTIONS, MEAN_RADIUS, MOTIONS, Motion

SPEED = 0.5
SIZE = 64
POINTS = np.array([10 + 4j, -8 + 15j, -20 - 6j])


def place(motion, frame, length=9):
    linear, shift = motion.transform(frame, length)
    return linear * POINTS + shift


def test_mean_radius():
    x, y = np.meshgrid(*[(np.arange(400) + 0.5) / 400 - 0.5] * 2)
    np.testing.assert_allclose(MEAN_RADIUS, np.hypot(x, y).mean(), rtol=1e-4)


@pytest.mark.parametrize(
    'name, direction',
    [
        ('left', -1),
        ('right', 1),
        ('up', -1j),
        ('down', 1j),
        ('zoom_in', POINTS / abs(POINTS)),
        ('zoom_out', -POINTS / abs(POINTS)),
        # On the screen, with y down, the point on the right moves down when turning clockwise.
        ('clockwise', 1j * POINTS / abs(POINTS)),
        ('anticlockwise', -1j * POINTS / abs(POINTS)),
    ],
)
def test_direction_at_the_middle_frame(name, direction):
    motion = MOTIONS[name].at_speed(SPEED, SIZE)
    velocity = (place(motion, 4 + 1e-5) - place(motion, 4 - 1e-5)) / 2e-5
    speed = SPEED if name in ('left', 'right', 'up', 'down') else SPEED * abs(POINTS) / (MEAN_RADIUS * SIZE)
    np.testing.assert_allclose(velocity, direction * speed, atol=1e-8)


def test_there_are_all_compounds_and_accelerations():
    assert len(COMPOUND_MOTIONS) == 16 and len(ACCELERATED_MOTIONS) == 16
    assert len(MOTIONS) == 40


@pytest.mark.parametrize('name', COMPOUND_MOTIONS)
def test_compound_velocity_is_the_sum_of_its_parts(name):
    first, second = name.split('_', 1)
    expected = (MOTIONS[first].velocity + MOTIONS[second].rate * POINTS) / math.sqrt(2)
    for frame in (1, 6):
        before, at, after = (place(MOTIONS[name], frame + step) for step in (-1e-5, 0, 1e-5))
        velocity = MOTIONS[name].velocity + MOTIONS[name].rate * at
        np.testing.assert_allclose((after - before) / 2e-5, velocity, rtol=1e-6)
    assert complex(MOTIONS[name].velocity) == pytest.approx(MOTIONS[first].velocity / math.sqrt(2))
    np.testing.assert_allclose(MOTIONS[name].velocity + MOTIONS[name].rate * POINTS, expected)


@pytest.mark.parametrize('name', ['left', 'zoom_out', 'clockwise'])
def test_acceleration_orders_the_same_displacements_the_other_way(name):
    length = 9
    faster = MOTIONS[f'{name}_accelerating'].at_speed(SPEED, SIZE)
    slower = MOTIONS[f'{name}_decelerating'].at_speed(SPEED, SIZE)

    def steps(motion):
        transforms = [motion.transform(frame, length) for frame in range(length)]
        return [
            abs(shift - last_shift) + abs(np.log(linear / last_linear))
            for (last_linear, last_shift), (linear, shift) in zip(transforms, transforms[1:])
        ]

    np.testing.assert_allclose(steps(faster), steps(slower)[::-1], rtol=1e-9)
    assert np.all(np.diff(steps(faster)) > 0)
    uniform = steps(MOTIONS[name].at_speed(SPEED, SIZE))
    assert sum(steps(faster)) == pytest.approx(sum(uniform))


def test_middle_of_the_clip_is_untouched():
    assert Motion(velocity=2, rate=0.1 + 0.2j, acceleration=0.5).transform(4, 9) == (1, 0)
