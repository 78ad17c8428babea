"""Motions of a plane as functions of time: the classes of the motion clips."""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass, replace

# Mean distance of the points of a square of side 1 from its centre.
MEAN_RADIUS = (math.sqrt(2) + math.log(1 + math.sqrt(2))) / 6

# Share of the mean speed that an accelerating motion gains from the middle of the clip to its end.
ACCELERATION = 0.8


@dataclass(frozen=True)
class Motion:
    """A velocity field ``velocity + rate * p`` over the screen, run through at a speed that may change.

    Points are complex numbers x + iy in pixels from the centre of the frame, x to the right and y down, so that
    multiplying by e^(i * angle) turns clockwise as seen on the screen.

    Args:
        velocity (complex): Translation, in pixels per frame step. Defaults to 0.
        rate (complex): Real part: growth (zooming in is positive); imaginary part: clockwise turn in radians; both
            per frame step. Defaults to 0.
        acceleration (float): The speed is ``1 + acceleration * t`` times the mean speed, t from -1 at the first
            frame to 1 at the last; so the whole displacement does not depend on it. Defaults to 0.
    """

    velocity: complex = 0
    rate: complex = 0
    acceleration: float = 0

    def at_speed(self, speed: float, size: int) -> Motion:
        """A motion of the table at a mean displacement of about ``speed`` pixels per frame step.

        Args:
            speed (float): Mean displacement over the frame, in pixels per frame step.
            size (int): Side of the square frame, in pixels.

        Returns:
            Motion: The same motion in pixels.
        """
        return replace(self, velocity=self.velocity * speed, rate=self.rate * speed / (MEAN_RADIUS * size))

    def transform(self, frame: int, length: int) -> tuple[complex, complex]:
        """Where the plane is at a frame: the point p of the middle of the clip is now at ``linear * p + shift``.

        Args:
            frame (int): Index of the frame.
            length (int): Number of frames, at least 2.

        Returns:
            tuple[complex, complex]: ``linear`` and ``shift``.
        """
        half = (length - 1) / 2
        t = frame - half
        path = t + self.acceleration * t**2 / (2 * half)
        linear = cmath.exp(self.rate * path)
        # The solution of p' = velocity + rate * p.
        shift = self.velocity * (path if self.rate == 0 else (linear - 1) / self.rate)
        return linear, shift


TRANSLATIONS = {
    'left': Motion(velocity=-1),
    'right': Motion(velocity=1),
    'up': Motion(velocity=-1j),
    'down': Motion(velocity=1j),
}
ZOOMS_AND_TURNS = {
    'zoom_in': Motion(rate=1),
    'zoom_out': Motion(rate=-1),
    'clockwise': Motion(rate=1j),
    'anticlockwise': Motion(rate=-1j),
}
BASIC_MOTIONS = {**TRANSLATIONS, **ZOOMS_AND_TURNS}
# Both parts at 1 / sqrt(2), so that a compound motion is about as fast as a basic one.
COMPOUND_MOTIONS = {
    f'{first}_{second}': Motion(
        velocity=TRANSLATIONS[first].velocity / math.sqrt(2), rate=ZOOMS_AND_TURNS[second].rate / math.sqrt(2)
    )
    for first in TRANSLATIONS
    for second in ZOOMS_AND_TURNS
}
# The two of a pair show the same displacements in opposite order: a set of flow fields does not tell them apart.
ACCELERATED_MOTIONS = {
    f'{name}_{kind}': replace(motion, acceleration=acceleration)
    for name, motion in BASIC_MOTIONS.items()
    for kind, acceleration in (('accelerating', ACCELERATION), ('decelerating', -ACCELERATION))
}
MOTIONS = {**BASIC_MOTIONS, **COMPOUND_MOTIONS, **ACCELERATED_MOTIONS}
