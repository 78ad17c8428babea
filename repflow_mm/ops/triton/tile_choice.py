"""Which tile a program of the Triton kernels holds, for a map of what size. Needs no Triton."""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

WARP = 32
MAX_EXTENT = 64
MAX_STRIPS = 8
HALO = 6


def ceil_div(a: int, b: int) -> int:
    """Quotient rounded up; Triton's ``cdiv`` takes microseconds outside of a kernel."""
    return -(-a // b)


class Tile(NamedTuple):
    """Shape of the tile that a program holds, see ``tiles.py``; ``halo`` is 0 where it covers the plane."""

    rows: int
    phases: int
    strips: int
    lanes: int
    halo: int = 0

    def count(self, height: int, width: int) -> tuple[int, int]:
        """How many tiles cover a plane, along y and along x."""
        return tuple(
            1 if size <= extent else ceil_div(size - extent, extent - 2 * self.halo) + 1
            for size, extent in ((height, self.strips * self.rows), (width, self.lanes * self.phases))
        )

    def programs(self, num_planes: int, height: int, width: int) -> int:
        """How many programs cover ``num_planes`` planes."""
        return ceil_div(num_planes, WARP // self.lanes) * math.prod(self.count(height, width))

    def constants(self, height: int) -> dict[str, int]:
        """The kernels' compile-time arguments; EXACT: the last strip's last row is the last row of planes that high."""
        exact = self.halo == 0 and self.strips * self.rows == height
        sizes = dict(ROWS=self.rows, PHASES=self.phases, STRIPS=self.strips, LANES=self.lanes, HALO=self.halo)
        return dict(**sizes, EXACT=exact)


@functools.cache
def choose_tile(height: int, width: int, pixels: int, streamed_pixels: int) -> Tile:
    """The tile for planes (height, width): the whole plane where both are <= 64, else one with a halo.

    Args:
        height (int): H.
        width (int): W.
        pixels (int): How many pixels a thread is to hold at most, as long as 8 warps suffice for that.
        streamed_pixels (int): How many it holds where the plane does not fit.
    """
    phases = 1 if width <= WARP else 2
    lanes = min(WARP, max(4, 1 << (width - 1).bit_length()))
    if height > MAX_EXTENT or width > MAX_EXTENT:
        return Tile(streamed_pixels // phases, phases, MAX_STRIPS, lanes, halo=HALO)
    strips = 1
    while strips < MAX_STRIPS and ceil_div(height, strips) * phases > pixels:
        strips *= 2
    return Tile(ceil_div(height, strips), phases, strips, lanes)
