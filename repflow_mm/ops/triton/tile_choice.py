"""Which tile a program of the Triton kernels holds, for maps of what size. Needs no Triton."""

from __future__ import annotations

import functools
import itertools
import math
from typing import NamedTuple

WARP = 32
MAX_STRIPS = 8
PHASES = (1, 2)


def ceil_div(a: int, b: int) -> int:
    """Quotient rounded up; Triton's ``cdiv`` takes microseconds outside of a kernel."""
    return -(-a // b)


class Demands(NamedTuple):
    """What a pass asks of its tiles.

    Args:
        pixels (int): How many pixels a thread is to hold at most, as long as 8 warps suffice for that.
        most_pixels (int): How many it can hold before the registers no longer do.
        rim (int): By how many pixels more than the iterations of a launch a tile's rim is wrong.
        launch_cost (int): What the loads and stores of a launch take, in iterations.
        column_cost (float): How many times as long a pixel takes where a thread has one column of them, not two: its
            neighbours along x are then in other lanes.
    """

    pixels: int
    most_pixels: int
    rim: int
    launch_cost: int
    column_cost: float


# The image gradient lacks neighbours at a tile's rim. The adjoint reaches one pixel further than the iteration that it
# computes again. The costs are those of an H100.
FORWARD = Demands(pixels=8, most_pixels=16, rim=1, launch_cost=10, column_cost=1.0)
BACKWARD = Demands(pixels=8, most_pixels=8, rim=2, launch_cost=3, column_cost=1.25)


class Tile(NamedTuple):
    """Shape of the tile that a program holds, see ``tiles.py``; ``halo`` is 0 where it covers the plane."""

    rows: int
    phases: int
    strips: int
    lanes: int
    halo: int = 0

    @property
    def pixels(self) -> int:
        """How many pixels a thread holds."""
        return self.rows * self.phases

    @property
    def extent(self) -> tuple[int, int]:
        """Height and width."""
        return self.strips * self.rows, self.lanes * self.phases

    def cuts(self, height: int, width: int) -> bool:
        """Whether it takes several tiles to cover a plane, each with pixels of its own."""
        cut = [extent for size, extent in zip((height, width), self.extent) if size > extent]
        return bool(cut) and min(cut) > 2 * self.halo

    def count(self, height: int, width: int) -> tuple[int, int]:
        """How many tiles cover a plane, along y and along x."""
        return tuple(
            1 if size <= extent else ceil_div(size - extent, extent - 2 * self.halo) + 1
            for size, extent in zip((height, width), self.extent)
        )

    def programs(self, num_planes: int, height: int, width: int) -> int:
        """How many programs cover ``num_planes`` planes."""
        return ceil_div(num_planes, WARP // self.lanes) * math.prod(self.count(height, width))

    def constants(self, height: int) -> dict[str, int]:
        """The kernels' compile-time arguments; EXACT: the last strip's last row is the last row of planes that high."""
        sizes = dict(ROWS=self.rows, PHASES=self.phases, STRIPS=self.strips, LANES=self.lanes, HALO=self.halo)
        return dict(**sizes, EXACT=self.extent[0] == height)


@functools.cache
def choose_tile(height: int, width: int, demands: Demands) -> Tile:
    """The tile for planes (height, width): the whole plane where the registers hold it, else one with a halo."""
    if width <= max(PHASES) * WARP:
        tile = _covering_tile(height, width, demands.pixels)
        if tile.pixels <= demands.most_pixels:
            return tile
    return streamed_tiles(height, width, demands)[0]


def _covering_tile(height: int, width: int, pixels: int) -> Tile:
    """A tile that holds a whole plane up to 64 pixels wide, in as few strips as leave ``pixels`` to a thread."""
    phases = ceil_div(width, WARP)
    strips = 1
    while strips < MAX_STRIPS and ceil_div(height, strips) * phases > pixels:
        strips *= 2
    return Tile(ceil_div(height, strips), phases, strips, _lanes(width, phases))


def _lanes(width: int, phases: int) -> int:
    """How many lanes a plane takes: a power of 2, at least 4."""
    return min(WARP, max(4, 1 << (ceil_div(width, phases) - 1).bit_length()))


def streamed_tiles(height: int, width: int, demands: Demands) -> list[Tile]:
    """Tiles with a halo for planes that they do not cover, each shape once, those that promise the least work first.

    The work is that of all pixels that the tiles compute, the overlaps among them, in an iteration with its share of
    the launch. Of equals the one with more phases comes first: it needs fewer shuffles a pixel.
    """

    def work(tile: Tile) -> float:
        pixels = math.prod(tile.count(height, width)) * math.prod(tile.extent)
        column_cost = demands.column_cost if tile.phases == 1 else 1
        return pixels * column_cost * (1 + demands.launch_cost / (tile.halo - demands.rim))

    tiles = []
    for strips, phases in itertools.product((8, 4, 2, 1), PHASES):
        for rows in range(1, demands.most_pixels // phases + 1):
            shapes = [Tile(rows, phases, strips, WARP, halo) for halo in range(demands.rim + 1, WARP)]
            shapes = [tile for tile in shapes if tile.cuts(height, width)]
            tiles += [min(shapes, key=work)] if shapes else []
    return sorted(tiles, key=lambda tile: (work(tile), -tile.phases))


def candidate_tiles(height: int, width: int, demands: Demands, streamed: int = 4) -> list[Tile]:
    """Tiles worth timing for planes (height, width): all that cover one, and the best with a halo.

    Left out are tiles that a thread's registers do not hold, and those of which whole strips would idle.

    Args:
        height (int): H.
        width (int): W.
        demands (Demands): ``FORWARD`` or ``BACKWARD``.
        streamed (int): How many with a halo. Defaults to 4.
    """
    covering = [
        Tile(ceil_div(height, strips), phases, strips, _lanes(width, phases))
        for phases in PHASES
        if width <= phases * WARP
        for strips in (1, 2, 4, 8, 16)
    ]

    def sensible(tile: Tile) -> bool:
        # A program of 16 warps has half of the registers for each thread.
        held = tile.pixels * max(1, tile.strips // MAX_STRIPS) <= demands.most_pixels
        return held and (tile.strips - 1) * tile.rows < height

    tiles = [tile for tile in covering if sensible(tile)]
    if max(height, width) > WARP:
        tiles += streamed_tiles(height, width, demands)[:streamed]
    return list(dict.fromkeys([choose_tile(height, width, demands), *tiles]))
