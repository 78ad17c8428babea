import math

import cv2
import numpy as np
import pytest

from repflow_mm.datasets.motion_clips.clips import SPLITS, MotionClipOptions, clip_seeds, render_clip
from repflow_mm.datasets.motion_clips.motions import BASIC_MOTIONS, MOTIONS


def small_options(**changes):
    return MotionClipOptions(**{**dict(train=16, val=8, size=32, length=6), **changes})


def test_defaults_are_the_demo():
    options = MotionClipOptions()
    assert (options.train, options.val, options.size, options.length) == (800, 200, 64, 16)
    assert options.classes == tuple(BASIC_MOTIONS) and len(options.classes) == 8


def test_variants():
    assert MotionClipOptions.from_variant('easy', train=3) == MotionClipOptions(train=3)
    hard = MotionClipOptions.from_variant('hard', val=5)
    assert len(hard.classes) == 16 and hard.val == 5 and hard.num_distractors == 2


@pytest.mark.parametrize('index', range(8))
def test_flow_of_the_frames_is_the_motion_of_the_class(index):
    """Farneback's flow between neighbouring frames is near velocity + rate * p."""
    options = small_options(size=64, speed=(1, 1))
    frames = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in render_clip(options, 'val', index)]
    flow = cv2.calcOpticalFlowFarneback(frames[2], frames[3], None, 0.5, 3, 13, 5, 5, 1.1, 0)[8:-8, 8:-8]
    y, x = np.mgrid[:64, :64][:, 8:-8, 8:-8] - 31.5
    motion = MOTIONS[options.classes[index]].at_speed(1, 64)
    expected = motion.velocity + motion.rate * (x + 1j * y)
    error = abs(flow[..., 0] + 1j * flow[..., 1] - expected)
    assert np.median(error) < 0.15


def frame_statistics(frame):
    """Fineness, orientation, brightness and centre-to-border contrast of a frame."""
    grey = frame.mean(axis=-1)
    centred = grey - grey.mean()
    along_x, along_y = (np.diff(grey, axis=axis) for axis in (1, 0))
    inner = centred[8:-8, 8:-8]
    return (
        math.log((along_x**2).mean() + (along_y**2).mean()) - math.log((centred**2).mean()),
        math.log((along_x**2).mean() / (along_y**2).mean()),
        grey.mean(),
        math.log((inner**2).mean() / (centred**2).mean()),
    )


@pytest.mark.parametrize('frame', [0, -1])
def test_single_frames_of_all_classes_are_distributed_alike(frame):
    """Every statistic's mean agrees between each class and the rest, at the two ends of a clip with fast motion."""
    clips_per_class = 60
    options = small_options(train=8 * clips_per_class, length=2, speed=(16, 16))
    values = np.array(
        [frame_statistics(render_clip(options, 'train', i)[frame]) for i in range(options.train)]
    ).reshape(clips_per_class, 8, -1)
    for label in range(8):
        own, others = values[:, label], np.delete(values, label, axis=1).reshape(-1, values.shape[-1])
        deviation = np.sqrt(own.var(0) / len(own) + others.var(0) / len(others))
        z = (own.mean(0) - others.mean(0)) / deviation
        assert abs(z).max() < 4, options.classes[label]


def test_same_seed_same_frames_other_seed_other_frames():
    first, again, other = (render_clip(small_options(seed=seed), 'train', 3) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.5


def test_no_texture_occurs_twice():
    """Seeds of all clips and both splits differ, and so do the pictures."""
    states = [
        tuple(child.generate_state(4))
        for split in SPLITS
        for index in range(500)
        for child in clip_seeds(0, split, index)
    ]
    assert len(set(states)) == len(states)
    options = small_options()
    frames = [render_clip(options, split, i)[0] for split in SPLITS for i in range(options.count(split))]
    assert len({frame.tobytes() for frame in frames}) == 24


def test_speed_is_drawn_from_its_range():
    slow, fast = (render_clip(small_options(speed=(s, s)), 'train', 0).astype(float) for s in (0.1, 1.0))
    # The middle of the clip is the same picture; further away the faster one has moved on.
    assert abs(fast[3] - fast[2]).mean() > 5 * abs(slow[3] - slow[2]).mean()


def test_noise_and_brightness_change_frames_alone():
    plain = render_clip(small_options(), 'train', 0).astype(float)
    noisy = render_clip(small_options(noise_sigma=5.0), 'train', 0).astype(float)
    assert (noisy - plain).std() == pytest.approx(5, rel=0.05)
    drifting = render_clip(small_options(brightness_drift=0.3), 'train', 0).astype(float)
    gain = (drifting.mean((1, 2, 3)) / plain.mean((1, 2, 3)) - 1).round(3)
    assert abs(gain[0]) > 0.01 and abs(gain).max() <= 0.3
    np.testing.assert_allclose(gain, np.linspace(gain[0], -gain[0], 6), atol=0.01)


def test_distractor_covers_a_disc_that_moves():
    options = small_options(size=64, speed=(1, 1), num_distractors=1)
    plain = render_clip(small_options(size=64, speed=(1, 1)), 'train', 1)
    covered = (render_clip(options, 'train', 1) != plain).any(-1)  # (T, H, W)
    shares = covered.mean((1, 2))
    assert shares.min() > 0 and shares.max() < np.pi * 0.2**2 * 1.2
    centres = [np.argwhere(mask).mean(0) for mask in covered]
    assert np.linalg.norm(centres[-1] - centres[0]) > 1


def test_length_and_size():
    assert render_clip(small_options(size=8, length=2), 'val', 0).shape == (2, 8, 8, 3)
    assert render_clip(small_options(size=90, length=3), 'val', 0).shape == (3, 90, 90, 3)


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(train=0), 'train must be >= 1, got 0'),
        (dict(val=-2), 'val must be >= 1, got -2'),
        (dict(size=6), 'size must be >= 8, got 6'),
        (dict(size=33), 'size must be even.*got 33'),
        (dict(length=1), 'length must be >= 2, got 1'),
        (dict(fps=0), 'fps must be >= 1, got 0'),
        (dict(seed=-1), 'seed must be >= 0, got -1'),
        (dict(num_distractors=-1), 'num_distractors must be >= 0, got -1'),
        (dict(classes=('left', 'sideways')), "unknown classes .'sideways'.; allowed: left, right"),
        (dict(classes=('left', 'left')), 'different names, got .*left.*left'),
        (dict(classes=()), r'one or more different names, got \[\]'),
        (dict(speed=(0, 1)), r'0 < lowest <= highest, got \(0, 1\)'),
        (dict(speed=(2, 1)), r'0 < lowest <= highest, got \(2, 1\)'),
        (dict(noise_sigma=-1.0), 'noise_sigma must be >= 0, got -1.0'),
        (dict(brightness_drift=1.0), r'brightness_drift must be in \[0, 1\), got 1.0'),
    ],
)
def test_values_out_of_range(changes, message):
    with pytest.raises(ValueError, match=message):
        MotionClipOptions(**changes)


def test_wrong_types_and_variant():
    with pytest.raises(TypeError, match='train must be an int, got float 8.0'):
        MotionClipOptions(train=8.0)
    with pytest.raises(ValueError, match="variant must be one of .'easy', 'hard'., got 'medium'"):
        MotionClipOptions.from_variant('medium')
