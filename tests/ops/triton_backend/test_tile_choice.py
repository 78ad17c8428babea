import pytest

from repflow_mm.ops.triton.tile_choice import BACKWARD, FORWARD, Tile, candidate_tiles, choose_tile

PASSES = pytest.mark.parametrize('demands', [FORWARD, BACKWARD], ids=['forward', 'backward'])


def covers(tile, height, width):
    """Whether the tiles reach the plane's end, each with pixels of its own, the last one no more than needed."""
    for size, extent, count in zip((height, width), tile.extent, tile.count(height, width)):
        origins = [k * (extent - 2 * tile.halo) for k in range(count)]
        if origins[-1] + extent < size or (count > 1 and origins[-2] + extent >= size):
            return False
    return True


@PASSES
@pytest.mark.parametrize('height, width', [(2, 2), (7, 7), (14, 14), (28, 28), (27, 29), (32, 64), (64, 32)])
def test_a_small_plane_is_one_tile(height, width, demands):
    tile = choose_tile(height, width, demands)
    assert tile.halo == 0 and tile.count(height, width) == (1, 1)
    assert covers(tile, height, width) and tile.pixels <= demands.most_pixels


@PASSES
@pytest.mark.parametrize('height, width', [(200, 8), (8, 200), (112, 112), (224, 224), (300, 3), (3, 300), (65, 65)])
def test_tiles_own_a_large_plane(height, width, demands):
    tile = choose_tile(height, width, demands)
    assert tile.halo > demands.rim and tile.pixels <= demands.most_pixels
    assert covers(tile, height, width)


def test_the_adjoint_of_a_plane_beyond_the_registers_is_streamed():
    assert choose_tile(56, 56, FORWARD) == Tile(rows=7, phases=2, strips=8, lanes=32)
    tile = choose_tile(56, 56, BACKWARD)
    assert tile == Tile(rows=4, phases=2, strips=8, lanes=32, halo=10)
    assert tile.count(56, 56) == (3, 1)  # no more tiles than with a smaller halo, and fewer launches
    assert tile._replace(halo=6).count(56, 56) == (3, 1) and tile._replace(halo=11).count(56, 56) == (4, 1)


@PASSES
@pytest.mark.parametrize('size', [2, 7, 14, 28, 33, 56, 64, 112, 224])
def test_candidates_are_distinct_and_cover(size, demands):
    tiles = candidate_tiles(size, size, demands, streamed=3)
    assert tiles[0] == choose_tile(size, size, demands)
    assert len(set(tiles)) == len(tiles)
    assert all(covers(tile, size, size) and tile.pixels <= demands.most_pixels for tile in tiles)
    assert sum(tile.halo > 0 for tile in tiles) <= 3
