"""Clips of moving textures: what they are made of, and the frames."""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from repflow_mm.datasets.motion_clips.motions import BASIC_MOTIONS, MOTIONS, TRANSLATIONS, ZOOMS_AND_TURNS, Motion
from repflow_mm.datasets.motion_clips.textures import WaveTexture, num_octaves_for
from repflow_mm.ops.arguments import check_count

SPLITS = ('train', 'val')
MIN_SIZE = 8
MIN_LENGTH = 2

VARIANTS = {
    'easy': {},
    'hard': dict(
        classes=(
            *TRANSLATIONS,
            'left_zoom_in',
            'left_zoom_out',
            'right_zoom_in',
            'right_zoom_out',
            # Not accelerated translations: their flow has no gradient for a second flow to follow.
            *(f'{name}_{kind}' for name in ZOOMS_AND_TURNS for kind in ('accelerating', 'decelerating')),
        ),
        speed=(0.3, 1.2),
        noise_sigma=6.0,
        brightness_drift=0.3,
        num_distractors=2,
    ),
}


@dataclass(frozen=True)
class MotionClipOptions:
    """What the clips of one folder are made of.

    Args:
        train (int): Number of training clips, over all classes in turn. Defaults to 800.
        val (int): Number of validation clips. Defaults to 200.
        size (int): Side of the square frames in pixels: even (the codec halves the colour planes) and >= 8.
            Defaults to 64.
        length (int): Frames of a clip, >= 2. Defaults to 16.
        fps (int): Frames per second of the files. Defaults to 16.
        seed (int): Seed of everything random, >= 0. Defaults to 0.
        classes (Sequence[str]): Names out of ``MOTIONS``, in the order of the labels. Defaults to the eight basic
            motions.
        speed (Sequence[float]): Lowest and highest mean displacement, in pixels per frame step, drawn
            log-uniformly for each clip. Defaults to (0.5, 2.0).
        noise_sigma (float): Standard deviation of the noise of every pixel of every frame, in grey levels.
            Defaults to 0.
        brightness_drift (float): Largest relative change of brightness from the middle of the clip to its ends,
            less than 1. Defaults to 0.
        num_distractors (int): Number of textured discs that move across in ways of their own. Defaults to 0.

    Raises:
        ValueError: If a value is out of range or a class is unknown.
        TypeError: If a number is not of the type stated.
    """

    train: int = 800
    val: int = 200
    size: int = 64
    length: int = 16
    fps: int = 16
    seed: int = 0
    classes: Sequence[str] = tuple(BASIC_MOTIONS)
    speed: Sequence[float] = (0.5, 2.0)
    noise_sigma: float = 0.0
    brightness_drift: float = 0.0
    num_distractors: int = 0

    def __post_init__(self):
        lowest = dict(train=1, val=1, size=MIN_SIZE, length=MIN_LENGTH, fps=1, seed=0, num_distractors=0)
        for name, low in lowest.items():
            check_count(name, getattr(self, name), low)
        if self.size % 2:
            raise ValueError(f'size must be even, as the codec halves the colour planes, got {self.size}')
        _check_classes(self.classes)
        if len(self.speed) != 2 or not 0 < self.speed[0] <= self.speed[1] < math.inf:
            raise ValueError(f'speed must be two numbers, 0 < lowest <= highest, got {self.speed!r}')
        if not 0 <= self.noise_sigma < math.inf:
            raise ValueError(f'noise_sigma must be >= 0, got {self.noise_sigma!r}')
        if not 0 <= self.brightness_drift < 1:
            raise ValueError(f'brightness_drift must be in [0, 1), got {self.brightness_drift!r}')

    @classmethod
    def from_variant(cls, variant: str, **changes) -> MotionClipOptions:
        """The options of a variant, ``'easy'`` or ``'hard'``, with some of them changed."""
        if variant not in VARIANTS:
            raise ValueError(f'variant must be one of {tuple(VARIANTS)}, got {variant!r}')
        return cls(**{**VARIANTS[variant], **changes})

    def count(self, split: str) -> int:
        """Number of clips of a split, ``'train'`` or ``'val'``."""
        return {'train': self.train, 'val': self.val}[split]


def _check_classes(classes: Sequence[str]) -> None:
    unknown = [name for name in classes if name not in MOTIONS]
    if unknown:
        raise ValueError(f'unknown classes {unknown}; allowed: {", ".join(MOTIONS)}')
    if not classes or len(set(classes)) != len(classes):
        raise ValueError(f'classes must be one or more different names, got {list(classes)}')


def clip_seeds(seed: int, split: str, index: int) -> list[np.random.SeedSequence]:
    """Independent seeds of one clip's texture, motion, distractors and noise; no two clips share any."""
    return np.random.SeedSequence(seed, spawn_key=(SPLITS.index(split), index)).spawn(4)


def render_clip(options: MotionClipOptions, split: str, index: int) -> np.ndarray:
    """The frames of one clip; its class is ``classes[index % len(classes)]``.

    The class enters by the motion alone, and every transformed texture has the distribution of an untouched one, so
    that the distribution of a single frame, whichever it is, does not depend on the class.

    Args:
        options (MotionClipOptions): What the clips are made of.
        split (str): ``'train'`` or ``'val'``.
        index (int): Number of the clip within its split.

    Returns:
        np.ndarray: (T, H, W, 3), uint8, in OpenCV's order of colours.
    """
    rngs = [np.random.default_rng(seed) for seed in clip_seeds(options.seed, split, index)]
    texture_rng, motion_rng, distractor_rng, noise_rng = rngs
    size, length = options.size, options.length
    texture = WaveTexture.random(texture_rng, num_octaves_for(size))
    name = options.classes[index % len(options.classes)]
    motion = MOTIONS[name].at_speed(_draw_speed(motion_rng, options), size)
    distractors = [_Distractor.random(distractor_rng, options) for _ in range(options.num_distractors)]
    drift = options.brightness_drift * motion_rng.uniform(-1, 1)
    frames = np.empty((length, size, size, 3), np.uint8)
    for number in range(length):
        frame = texture.render(size, *motion.transform(number, length))
        for distractor in distractors:
            frame = distractor.paint(frame, number, length)
        frame *= 1 + drift * (2 * number / (length - 1) - 1)
        if options.noise_sigma:
            frame += options.noise_sigma * noise_rng.standard_normal(frame.shape, np.float32)
        frames[number] = np.clip(np.rint(frame), 0, 255)
    return frames


def _draw_speed(rng: np.random.Generator, options: MotionClipOptions) -> float:
    return math.exp(rng.uniform(*map(math.log, options.speed)))


@dataclass(frozen=True)
class _Distractor:
    """A soft-edged disc with a texture of its own that moves and turns as one body."""

    texture: WaveTexture
    motion: Motion
    centre: complex
    radius: float

    @classmethod
    def random(cls, rng: np.random.Generator, options: MotionClipOptions) -> _Distractor:
        size = options.size
        turn = Motion(rate=rng.choice((-1j, 1j))).at_speed(_draw_speed(rng, options), size)
        velocity = cmath.rect(_draw_speed(rng, options), rng.uniform(0, 2 * math.pi))
        return cls(
            texture=WaveTexture.random(rng, num_octaves_for(size)),
            motion=Motion(velocity=velocity, rate=turn.rate),
            centre=complex(*rng.uniform(-size / 2, size / 2, 2)),
            radius=size * rng.uniform(0.12, 0.2),
        )

    def paint(self, frame: np.ndarray, number: int, length: int) -> np.ndarray:
        """Lay the disc over a frame (H, W, 3)."""
        size = len(frame)
        linear, _ = self.motion.transform(number, length)
        place = self.centre + self.motion.velocity * (number - (length - 1) / 2)
        y, x = (axis - (size - 1) / 2 for axis in np.ogrid[:size, :size])
        distance = np.hypot(x - place.real, y - place.imag)
        cover = np.clip(self.radius + 0.5 - distance, 0, 1)[..., None].astype(np.float32)  # (H, W, 1)
        return frame + cover * (self.texture.render(size, linear, place) - frame)
