"""The Triton kernels against the float64 reference and against themselves, in every way to run them."""

import math
from types import SimpleNamespace

import pytest
import torch
from conftest import MODES
from modes import solve, solve_into_nan, solve_within

from repflow_mm.ops.triton.tile_choice import Tile
from repflow_mm.testing.parity import NAMES, Case, draw
from repflow_mm.testing.solver_cases import CASES, LARGE_CASES, LOW, compare

# Pixels times iterations of the largest case that is run in the emulator.
MOST_EMULATED = 250_000
STREAMED = LOW._replace(halo=3)


@pytest.mark.parametrize('case', CASES, ids=str)
def test_small_maps(mode, case):
    draws = 3 if mode.name == 'interpreter' else None  # it takes a second for each
    assert [result for result in mode.run(compare, case, mode.device, draws=draws) if not result.holds] == []


@pytest.mark.parametrize('mode', MODES[1:], indirect=True)
@pytest.mark.parametrize('case', LARGE_CASES, ids=str)
def test_maps_of_networks(mode, case):
    if mode.name == 'emulator' and math.prod(case.shape) * case.num_iters > MOST_EMULATED:
        pytest.skip('takes the emulator a minute')
    assert [result for result in mode.run(compare, case, mode.device) if not result.holds] == []


def test_streaming_computes_the_same(mode):
    # Iterations enough for more than two launches each way: what is wrong at a tile's rim shows only later.
    # And the pixels are coupled strongly (small differences of u, large theta and tau), or it would fade on the way.
    case = Case((1, 2, 2, 18, 19), 12, theta=1.0, tau=1.0, learned=True)
    inputs, grad_u = draw(case, seed=0)
    inputs[0] /= 255
    tile = Tile(rows=1, phases=1, strips=16, lanes=16, halo=5)
    assert tile.count(18, 19) == (2, 2)
    fits = mode.run(solve, inputs, grad_u, 12, Tile(rows=2, phases=1, strips=16, lanes=32), mode.device)
    streamed = mode.run(solve, inputs, grad_u, 12, tile, mode.device)
    if mode.name == 'interpreter':
        # The arithmetic of a pixel is the same; that of the sums, of which x's gradient is made, is in another order.
        assert torch.equal(streamed['u'], fits['u'])
        eps = torch.finfo(torch.float32).eps
        assert (streamed['x'] - fits['x']).abs().max() <= 4 * eps * fits['x'].abs().max()
    # Compiled, the two kernels contract products and sums in other places.
    for name in NAMES:
        assert (streamed[name] - fits[name]).abs().max() <= 1e-4 * fits[name].abs().max(), name


@pytest.mark.parametrize('tile', [LOW, STREAMED], ids=['fits', 'streamed'])
def test_every_element_is_written(mode, tile):
    inputs, grad_u = draw(Case((1, 2, 3, 9 if tile.halo else 7, 5), learned=True), seed=0)
    for name, written in mode.run(solve_into_nan, inputs, grad_u, 3, tile, mode.device).items():
        assert torch.isfinite(written).all(), name


def test_nan_stays_in_its_plane(mode):
    inputs, grad_u = draw(Case((1, 4, 2, 7, 8), learned=True), seed=0)
    clean = mode.run(solve, inputs, grad_u, 5, LOW, mode.device)
    inputs[0][0, 1, 0, 3, 7] = torch.nan
    dirty = mode.run(solve, inputs, grad_u, 5, LOW, mode.device)
    hit = dict(u=[1, 5], x=[1])  # channels: both components of the flow
    for name, channels in hit.items():
        others = [channel for channel in range(clean[name].shape[1]) if channel not in channels]
        assert dirty[name][0, channels].isnan().flatten(1).any(1).all()
        assert torch.equal(dirty[name][0, others], clean[name][0, others])


@pytest.mark.parametrize('name', ['theta', 'lam', 'tau'])
def test_nan_of_a_scalar_reaches_every_result(mode, name):
    inputs, grad_u = draw(Case((1, 4, 2, 7, 5), learned=True), seed=0)
    inputs[NAMES.index(name) - 1].fill_(torch.nan)
    results = mode.run(solve, inputs, grad_u, 3, LOW, mode.device)
    assert results['u'].isnan().all()
    assert [result for result, value in results.items() if not value.isnan().any()] == []


def test_strides_of_features_and_of_the_gradient(mode):
    inputs, grad_u = draw(Case((1, 2, 3, 4, 5), learned=True), seed=0)
    grad_u = grad_u[:, :1].expand_as(grad_u)
    expected = mode.run(solve, inputs, grad_u.contiguous(), 2, LOW, mode.device)
    x = inputs[0].permute(2, 3, 4, 0, 1).contiguous().permute(3, 4, 0, 1, 2)  # (N, C, T, H, W), channels innermost
    assert not x.is_contiguous()
    for name, actual in mode.run(solve, [x, *inputs[1:]], grad_u, 2, LOW, mode.device).items():
        assert torch.equal(actual, expected[name]), name


def test_empty_batch(mode):
    inputs, grad_u = draw(Case((1, 2, 3, 4, 5), learned=True), seed=0)
    inputs[0], grad_u = inputs[0][:0], grad_u[:0]
    results = mode.run(solve, inputs, grad_u, 2, LOW, mode.device)
    assert results['u'].shape == (0, 4, 2, 4, 5) and results['x'].shape == (0, 2, 3, 4, 5)
    assert all((results[name] == 0).all() for name in NAMES[1:])


def test_chunks_of_planes_change_nothing(mode):
    inputs, grad_u = draw(Case((1, 5, 2, 7, 5), learned=True), seed=0)
    expected = mode.run(solve, inputs, grad_u, 3, LOW, mode.device)
    bytes_per_plane = 2 * 24 * 7 * 5  # two states
    for name, actual in mode.run(solve_within, 3 * bytes_per_plane, inputs, grad_u, 3, LOW, mode.device).items():
        assert torch.equal(actual, expected[name]), name


@pytest.mark.parametrize(('total', 'expected'), [(80 * 2**30, 2**30), (8 * 2**30, 256 * 2**20)])
def test_scratch_is_a_share_of_the_devices_memory(monkeypatch, total, expected):
    from repflow_mm.ops.triton.forward import scratch_bytes

    monkeypatch.setattr(torch.cuda, 'get_device_properties', lambda device: SimpleNamespace(total_memory=total))
    assert scratch_bytes.__wrapped__(torch.device('cuda')) == expected
    assert scratch_bytes.__wrapped__(torch.device('cpu')) == 256 * 2**20
