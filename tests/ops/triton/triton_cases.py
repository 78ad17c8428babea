"""What the Triton kernels compute against the float64 reference.

test_triton.py runs this file in processes of its own: on a CUDA device if there is one, in Triton's interpreter, which
must be asked for before Triton's import, and where EMULATE_PTX is set, as compiled code in the emulator beside this.
"""

import os
from typing import NamedTuple

import pytest
import torch

from repflow_mm.ops.reference import rep_flow_ref

if 'EMULATE_PTX' in os.environ:
    from ptx_emulator import emulate_launches

    emulate_launches()
elif not torch.cuda.is_available():
    os.environ['TRITON_INTERPRET'] = '1'

from repflow_mm.ops.triton import backward as backward_module
from repflow_mm.ops.triton import forward as forward_module
from repflow_mm.ops.triton.backward import triton_backward
from repflow_mm.ops.triton.forward import Tile, choose_tile, triton_forward
from repflow_mm.ops.triton.tiles import INTERPRETED

DEVICE = 'cuda' if torch.cuda.is_available() and 'EMULATE_PTX' not in os.environ else 'cpu'
NAMES = ('x', 'theta', 'lam', 'tau', 'image_kernel', 'flow_kernel', 'div_kernel')
DRAWS = 2
EAGER_DRAWS = 16


class Case(NamedTuple):
    shape: tuple[int, ...]
    num_iters: int
    tile: Tile | None = None
    scalars: tuple[float, float, float] = (0.3, 0.15, 0.25)

    def __str__(self):
        n, c, t, h, w = self.shape
        tile = '' if self.tile is None else f'-{"streamed" if self.tile.halo else "tiled"}'
        scalars = '' if self.scalars == (0.3, 0.15, 0.25) else f'-scalars{self.scalars}'
        return f'N{n}-C{c}-T{t}-H{h}-W{w}-iters{self.num_iters}{tile}{scalars}'


LOW = Tile(rows=2, phases=1, strips=4, lanes=8)
STREAMED = LOW._replace(halo=3)
CASES = (
    Case((2, 2, 2, 7, 5), 5),
    Case((1, 1, 3, 9, 10), 5),
    Case((1, 8, 2, 2, 2), 5),
    Case((1, 2, 2, 3, 9), 1),
    Case((1, 2, 2, 3, 4), 0),
    Case((1, 1, 2, 3, 35), 2),
    Case((1, 4, 2, 7, 5), 3, LOW, scalars=(2.0, 1.5, 3.0)),
    Case((1, 4, 2, 7, 5), 3, LOW, scalars=(0.02, 0.001, 0.002)),
    Case((1, 4, 2, 6, 7), 4, Tile(rows=2, phases=2, strips=4, lanes=4)),
)
# The maps of networks, whose tiles would take the interpreter minutes.
LARGE_CASES = (
    Case((1, 8, 2, 7, 7), 20),
    Case((1, 2, 3, 14, 14), 20),
    Case((1, 1, 3, 28, 28), 20),
    Case((1, 1, 2, 27, 29), 20),
    Case((1, 1, 2, 28, 28), 50),
    Case((1, 1, 2, 64, 33), 5),
    Case((1, 1, 2, 56, 56), 20),
    Case((1, 1, 2, 112, 112), 20),
)


def draw_arguments(case, seed):
    """The seven tensors in float64, each value one of float32, and a gradient of u."""
    generator = torch.Generator().manual_seed(seed)
    n, c, t, h, w = case.shape

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    x = torch.rand(case.shape, generator=generator) * 255
    scalars = [torch.tensor(value) for value in case.scalars]
    kernels = [0.3 * normal(2, c, 3, 3), normal(2, c, 2), normal(2, c, 2)]
    tensors = [tensor.to(DEVICE, torch.float64) for tensor in (x, *scalars, *kernels)]
    return tensors, normal(n, 2 * c, t - 1, h, w).to(DEVICE, torch.float64)


def reference(tensors, grad_u, num_iters):
    """u and the gradients of the seven tensors."""
    leaves = [tensor.detach().clone().requires_grad_() for tensor in tensors]
    u = rep_flow_ref(*leaves, num_iters)
    if num_iters == 0:
        return [u, *(torch.zeros_like(leaf) for leaf in leaves)]
    gradients = torch.autograd.grad(u, leaves, grad_u.to(u.dtype), allow_unused=True, materialize_grads=True)
    return [u.detach(), *gradients]


def solve(tensors, grad_u, num_iters, tile=None):
    u = triton_forward(*tensors, num_iters, tile)
    return [u, *triton_backward(grad_u.to(u.dtype), *tensors, num_iters, tile)]


def as_float(tensors):
    return [tensor.float() for tensor in tensors]


def largest(tensors):
    return torch.stack([tensor.abs().max().double().cpu() for tensor in tensors])


@pytest.mark.parametrize('case', CASES if INTERPRETED else CASES + LARGE_CASES, ids=str)
def test_result_and_every_gradient(case):
    errors, eager_errors, scales = [], [], []
    for seed in range(EAGER_DRAWS):
        tensors, grad_u = draw_arguments(case, seed)
        exact = reference(tensors, grad_u, case.num_iters)
        eager = reference(as_float(tensors), grad_u, case.num_iters)
        eager_errors.append(largest([a - b for a, b in zip(eager, exact)]))
        if seed < DRAWS:
            fast = solve(as_float(tensors), grad_u, case.num_iters, case.tile)
            assert [tensor.shape for tensor in fast] == [tensor.shape for tensor in exact]
            errors.append(largest([a - b for a, b in zip(fast, exact)]))
            scales.append(largest(exact))
    # One draw of a parameter's gradient, a single sum, can be near exact by chance: what eager float32 can reach is
    # the largest error of many draws. u and x's gradient have elements enough to be held to the same draws.
    eager_bounds = torch.stack(eager_errors).amax(0)
    eager_bounds[:2] = torch.stack(eager_errors[:DRAWS])[:, :2].amax(0)
    bounds = 2 * eager_bounds + 2 * torch.finfo(torch.float32).eps * torch.stack(scales).amax(0)
    named = zip(('u', *NAMES), torch.stack(errors).amax(0), bounds)
    failures = [f'{name}: {error:.3g} > {bound:.3g}' for name, error, bound in named if not error <= bound]
    assert not failures, failures


def test_streaming_computes_the_same():
    # Iterations enough for more than two launches each way: what is wrong at a tile's rim shows only later.
    # And the pixels are coupled strongly (small differences of u, large theta and tau), or it would fade on the way.
    tensors, grad_u = draw_arguments(Case((1, 2, 2, 18, 19), 12, scalars=(1.0, 0.15, 1.0)), seed=0)
    tensors = as_float(tensors)
    tensors[0] /= 255
    tile = Tile(rows=1, phases=1, strips=16, lanes=16, halo=5)
    assert tile.count(18, 19) == (2, 2)
    fits = solve(tensors, grad_u, 12, Tile(rows=2, phases=1, strips=16, lanes=32))
    streamed = solve(tensors, grad_u, 12, tile)
    if INTERPRETED:
        # The arithmetic of a pixel is the same; that of the sums, of which x's gradient is made, is in another order.
        assert torch.equal(streamed[0], fits[0])
        assert (streamed[1] - fits[1]).abs().max() <= 4 * torch.finfo(torch.float32).eps * fits[1].abs().max()
    # Compiled, the two kernels contract products and sums in other places.
    for name, a, b in zip(('u', *NAMES), streamed, fits):
        assert (a - b).abs().max() <= 1e-4 * b.abs().max(), name


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_rounds_the_result_alone(dtype):
    tensors, grad_u = draw_arguments(Case((1, 2, 2, 7, 5), 3), seed=0)
    tensors[0], grad_u = tensors[0].to(dtype), grad_u.to(dtype)
    expected = reference([tensors[0].double(), *tensors[1:]], grad_u, 3)
    actual = solve([tensors[0], *as_float(tensors[1:])], grad_u, 3, LOW)
    assert [tensor.dtype for tensor in actual] == [dtype, dtype] + 6 * [torch.float32]
    for exact, fast in zip(expected, actual):
        eps = torch.finfo(fast.dtype).eps
        assert (fast - exact).abs().max() <= max(eps, 1e-5) * exact.abs().max()


@pytest.mark.parametrize('tile', [LOW, STREAMED], ids=['fits', 'streamed'])
def test_every_element_is_written(tile, monkeypatch):
    tensors, grad_u = draw_arguments(Case((1, 2, 3, 9, 5) if tile.halo else (1, 2, 3, 7, 5), 3), seed=0)
    tensors = as_float(tensors)
    new_empty, empty_like = torch.Tensor.new_empty, torch.empty_like
    monkeypatch.setattr(torch.Tensor, 'new_empty', lambda *args, **kwargs: new_empty(*args, **kwargs).fill_(torch.nan))
    monkeypatch.setattr(torch, 'empty_like', lambda *args, **kwargs: empty_like(*args, **kwargs).fill_(torch.nan))
    for name, written in zip(('u', *NAMES), solve(tensors, grad_u, 3, tile)):
        assert torch.isfinite(written).all(), name


def test_nan_stays_in_its_plane():
    tensors, grad_u = draw_arguments(Case((1, 4, 2, 7, 8), 5), seed=0)
    tensors = as_float(tensors)
    clean = solve(tensors, grad_u, 5, LOW)
    tensors[0][0, 1, 0, 3, 7] = torch.nan
    u, grad_x, *_ = solve(tensors, grad_u, 5, LOW)
    others = [0, 2, 3]
    assert u[0, 1].isnan().any() and u[0, 5].isnan().any()
    assert grad_x[0, 1].isnan().any()
    assert torch.equal(u[0, others], clean[0][0, others])
    assert torch.equal(u[0, [4, 6, 7]], clean[0][0, [4, 6, 7]])
    assert torch.equal(grad_x[0, others], clean[1][0, others])


def test_non_contiguous_features():
    tensors, grad_u = draw_arguments(Case((1, 2, 3, 4, 5), 2), seed=0)
    tensors = as_float(tensors)
    expected = solve(tensors, grad_u, 2)
    tensors[0] = tensors[0].permute(2, 3, 4, 0, 1).contiguous().permute(3, 4, 0, 1, 2)  # channels innermost
    assert not tensors[0].is_contiguous()
    for fast, exact in zip(solve(tensors, grad_u.expand_as(grad_u), 2), expected):
        assert torch.equal(fast, exact)


def test_empty_batch():
    tensors, grad_u = draw_arguments(Case((1, 2, 3, 4, 5), 2), seed=0)
    tensors = as_float(tensors)
    tensors[0] = tensors[0][:0]
    u, grad_x, *gradients = solve(tensors, grad_u[:0], 2)
    assert u.shape == (0, 4, 2, 4, 5) and grad_x.shape == (0, 2, 3, 4, 5)
    assert all((gradient == 0).all() for gradient in gradients)


def test_chunks_of_planes_change_nothing(monkeypatch):
    tensors, grad_u = draw_arguments(Case((1, 6, 2, 4, 4), 3), seed=0)
    tensors = as_float(tensors)
    expected = solve(tensors, grad_u, 3)
    bytes_per_plane = 2 * 24 * 16
    monkeypatch.setattr(forward_module, 'SCRATCH_BYTES', 4 * bytes_per_plane)
    assert forward_module.plane_chunks(6, bytes_per_plane) == [(0, 4), (4, 2)]
    for fast, exact in zip(solve(tensors, grad_u, 3), expected):
        assert torch.equal(fast, exact)


@pytest.mark.parametrize('pixels', [forward_module.FORWARD_PIXELS, backward_module.BACKWARD_PIXELS], ids=str)
@pytest.mark.parametrize('height, width', [(2, 2), (7, 7), (14, 14), (28, 28), (27, 29), (56, 56), (64, 33)])
def test_tile_covers_a_small_plane(height, width, pixels):
    tile = choose_tile(height, width, *pixels)
    assert tile.halo == 0 and tile.count(height, width) == (1, 1)
    assert tile.strips * tile.rows >= height and tile.lanes * tile.phases >= width


@pytest.mark.parametrize('height, width', [(65, 8), (8, 65), (112, 112), (224, 224)])
@pytest.mark.parametrize('pixels', [forward_module.FORWARD_PIXELS, backward_module.BACKWARD_PIXELS], ids=str)
def test_tiles_own_a_large_plane(height, width, pixels):
    tile = choose_tile(height, width, *pixels)
    assert tile.halo > backward_module.BACKWARD_RIM
    for size, extent, count in zip(
        (height, width), (tile.strips * tile.rows, tile.lanes * tile.phases), tile.count(height, width)
    ):
        origins = [k * (extent - 2 * tile.halo) for k in range(count)]
        assert origins[-1] + extent >= size
        assert count == 1 or origins[-2] + extent < size
