"""Pictures that show their own number, so that a decoded frame tells which one it is."""

from __future__ import annotations

import cv2
import numpy as np

# Numbers are shown as bits, so that they begin anew after this many frames.
NUMBERS = 256
# In a smaller picture there is no place for bits: its number is its grey level.
SMALLEST_WITH_BITS = 16
DARK, BRIGHT = (30, 40, 80), (230, 210, 170)  # red, green, blue
FIRST_LEVEL, LEVEL_STEP = 20, 24


def picture(number: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """A picture of a clip: the bits of its number above, a moving texture below.

    Args:
        number (int): Which picture of the clip; its bits are those of ``number % 256``.
        height (int): Pixels.
        width (int): Pixels. Where either is below 16, the picture is plain and its grey level is the number, which
            may be 9 at most.
        seed (int): Of the texture. Defaults to 0.

    Returns:
        np.ndarray: (H, W, 3), uint8, red, green and blue.
    """
    if min(height, width) < SMALLEST_WITH_BITS:
        return np.full((height, width, 3), FIRST_LEVEL + LEVEL_STEP * (number % 10), np.uint8)
    image = np.roll(_texture(height, width, seed), (number, 2 * number), axis=(0, 1))
    for bit, columns in enumerate(_bars(width)):
        image[: height // 2, columns] = BRIGHT if number >> bit & 1 else DARK
    return image


def picture_number(image: np.ndarray) -> int:
    """The number that a decoded picture (H, W, 3) of :func:`picture` shows."""
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST_WITH_BITS:
        return round((float(image.mean()) - FIRST_LEVEL) / LEVEL_STEP)
    bits = image[2 : height // 2 - 2, :, 1].astype(float)
    threshold = (DARK[1] + BRIGHT[1]) / 2
    return sum(int(bits[:, columns].mean() > threshold) << bit for bit, columns in enumerate(_bars(width)))


def _bars(width: int) -> list[slice]:
    edges = np.linspace(0, width, 9).round().astype(int)
    return [slice(start, end) for start, end in zip(edges[:-1], edges[1:])]


def _texture(height: int, width: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.5, borderType=cv2.BORDER_REFLECT)
    return cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX)
