import math

import numpy as np
import pytest
import torch
from numpy_loop import numpy_rep_flow
from torch.testing import assert_close

from repflow_mm.ops import rep_flow_ref
from repflow_mm.ops.stencils import (
    default_image_kernel,
    default_taps,
    divergence,
    flow_gradient,
    image_gradient,
)
from repflow_mm.testing.released import released_rep_flow

SCALARS = (0.3, 0.15, 0.25)
KERNELS = ('image_kernel', 'flow_kernel', 'div_kernel')


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def plane(*rows):
    """One plane (1, 1, H, W) of float64."""
    return torch.tensor(rows, dtype=torch.float64)[None, None]


def random_kernels(channels, generator, spread=0.3, dtype=torch.float64):
    """The default kernels with random deviations, as training would leave them."""
    kernels = (default_image_kernel(channels), default_taps(channels), default_taps(channels))
    return [(k + spread * torch.randn(k.shape, generator=generator)).to(dtype) for k in kernels]


def texture(height, width, shift_x=0.0, shift_y=0.0, seed=0):
    """A smooth texture (H, W) in [0, 255] that was moved by (shift_x, shift_y) pixels."""
    rng = np.random.default_rng(seed)
    angles, phases = rng.uniform(0, 2 * math.pi, 12), rng.uniform(0, 2 * math.pi, 12)
    k = 2 * math.pi / rng.uniform(10, 20, 12)
    y, x = np.mgrid[:height, :width][..., None]
    waves = np.cos(k * np.cos(angles) * (x - shift_x) + k * np.sin(angles) * (y - shift_y) + phases)
    return torch.tensor(127.5 + 127.5 * waves.mean(-1))


class TestStencils:
    FIRST = plane([1, 4, 9, 2], [0, 2, 2, 8], [5, 5, 1, 0], [3, 7, 2, 6])
    SECOND = plane([2, 4, 8, 16], [1, 3, 9, 27], [0, 1, 0, 2], [5, 0, 6, 0])

    def test_central_image_gradient(self):
        kernel = default_image_kernel(1, 'central', dtype=torch.float64)
        grad_x, grad_y = image_gradient(self.FIRST, self.SECOND, kernel)
        # Outermost columns of g_x and rows of g_y: half the difference of the outermost values of the first frame.
        assert_close(grad_x, plane([1.5, 3, 6, -3.5], [1, 4, 12, 3], [0, 0, 0.5, -0.5], [2, 0.5, 0, 2]))
        assert_close(grad_y, plane([-0.5, -1, -3.5, 3], [-1, -1.5, -4, -7], [2, -1.5, -1.5, -13.5], [-1, 1, 0.5, 3]))

    def test_sobel_image_gradient(self):
        kernel = default_image_kernel(1, 'sobel', dtype=torch.float64)
        grad_x, grad_y = image_gradient(self.FIRST, self.SECOND, kernel)
        # Above the first row and left of the first column are zeros: (2 * 6 + 8) / 8 in row 0, column 1.
        expected_x = [(2 * 6 + 8) / 8, (2 * 12 + 24) / 8], [(6 + 2 * 8 + 0) / 8, (12 + 2 * 24 + 1) / 8]
        assert_close(grad_x[0, 0, :2, 1:3], torch.tensor(expected_x, dtype=torch.float64))
        assert_close(grad_x[..., 0], plane([1.5, 1, 0, 2])[0])
        assert_close(grad_x[..., -1], plane([-3.5, 3, -0.5, 2])[0])
        assert_close(grad_y[0, 0, 1], torch.tensor([(2 * -2 - 3) / 8, (-2 - 6 - 8) / 8, -33 / 8, -36 / 8]).double())
        assert_close(grad_y[..., 0, :], plane([-0.5, -1, -3.5, 3])[0])
        assert_close(grad_y[..., -1, :], plane([-1, 1, 0.5, 3])[0])

    def test_image_gradient_is_a_correlation_with_own_taps_per_channel(self, generator):
        first, second = torch.rand(2, 1, 3, 3, 3, generator=generator).double()
        kernel = torch.randn(2, 3, 3, 3, generator=generator).double()
        grad_x, grad_y = image_gradient(first, second, kernel)
        for channel in range(3):
            assert_close(grad_x[0, channel, 1, 1], (kernel[0, channel] * second[0, channel]).sum())
            assert_close(grad_y[0, channel, 1, 1], (kernel[1, channel] * second[0, channel]).sum())
            assert_close(grad_x[0, channel, 1, 0], (first[0, channel, 1, 1] - first[0, channel, 1, 0]) / 2)

    @pytest.mark.parametrize('kind', ['central', 'sobel'])
    def test_gradient_of_a_ramp(self, kind):
        y, x = torch.meshgrid(torch.arange(5.0), torch.arange(6.0), indexing='ij')
        ramp = (3 * x - 2 * y)[None, None]
        grad_x, grad_y = image_gradient(ramp, ramp, default_image_kernel(1, kind))
        assert_close(grad_x[..., 1:-1, 1:-1], torch.full((1, 1, 3, 4), 3.0))
        assert_close(grad_y[..., 1:-1, 1:-1], torch.full((1, 1, 3, 4), -2.0))

    def test_default_flow_gradient(self):
        along_x, along_y = flow_gradient(plane([1, 4, 9], [2, 2, 7]), default_taps(1, dtype=torch.float64))
        assert_close(along_x, plane([3, 5, 0], [0, 5, 0]))
        assert_close(along_y, plane([1, -2, -2], [0, 0, 0]))

    def test_flow_gradient_with_other_taps(self):
        taps = torch.tensor([[[2.0, -3.0]], [[0.5, 10.0]]], dtype=torch.float64)  # (2, 1, 2)
        along_x, along_y = flow_gradient(plane([1, 4, 9], [2, 2, 7]), taps)
        assert_close(along_x, plane([2 - 12, 8 - 27, 0], [4 - 6, 4 - 21, 0]))
        assert_close(along_y, plane([20.5, 22, 74.5], [0, 0, 0]))

    def test_default_divergence(self):
        p_x, p_y = plane([1, 4, 9], [2, 2, 7]), plane([5, 6, 8], [1, 1, 3])
        div = divergence(p_x, p_y, default_taps(1, dtype=torch.float64))
        # The last column of p_x and the last row of p_y do not count.
        assert_close(div, plane([1 + 5, 3 + 6, -4 + 8], [2 - 5, 0 - 6, -2 - 8]))

    def test_divergence_with_other_taps(self):
        taps = torch.tensor([[[2.0, -3.0]], [[0.5, 10.0]]], dtype=torch.float64)
        p_x, p_y = plane([1, 4, 9], [2, 2, 7]), plane([5, 6, 8], [1, 1, 3])
        expected = plane([-3 + 50, 2 - 12 + 60, 8 + 80], [-6 + 2.5, 4 - 6 + 3, 4 + 4])
        assert_close(divergence(p_x, p_y, taps), expected)

    def test_divergence_is_the_negative_adjoint_of_the_flow_gradient(self, generator):
        u, p_x, p_y = torch.randn(3, 2, 3, 4, 5, generator=generator).double()
        taps = default_taps(3, dtype=torch.float64)
        along_x, along_y = flow_gradient(u, taps)
        assert_close((along_x * p_x + along_y * p_y).sum(), -(u * divergence(p_x, p_y, taps)).sum())

    def test_unknown_image_gradient(self):
        with pytest.raises(ValueError, match=r"image_gradient must be one of \('central', 'sobel'\), got 'prewitt'"):
            default_image_kernel(1, 'prewitt')


@pytest.mark.parametrize('size', [(1, 1, 2, 2, 2), (2, 2, 3, 5, 4), (1, 3, 2, 2, 7)], ids=str)
@pytest.mark.parametrize('learned', [(), ('image_kernel',), ('flow_kernel',), ('div_kernel',), KERNELS], ids='-'.join)
def test_agrees_with_loops_over_pixels(size, learned, generator):
    x = torch.rand(size, generator=generator, dtype=torch.float64) * 20
    kernels = {k: v for k, v in zip(KERNELS, random_kernels(size[1], generator)) if k in learned}
    expected = numpy_rep_flow(x.numpy(), *SCALARS, num_iters=6, **{k: v.numpy() for k, v in kernels.items()})
    u = rep_flow_ref(x, *SCALARS, num_iters=6, **kernels)
    assert u.abs().max() > 0.01
    np.testing.assert_allclose(u.numpy(), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize('scalars', [(0.3, 0.15, 0.25), (1.5, 0.02, 0.1), (0.05, 2.0, 0.9)], ids=str)
def test_agrees_with_loops_for_other_scalars(scalars, generator):
    x = torch.rand(1, 2, 3, 4, 5, generator=generator, dtype=torch.float64) * 20
    expected = numpy_rep_flow(x.numpy(), *scalars, num_iters=5)
    np.testing.assert_allclose(rep_flow_ref(x, *scalars, num_iters=5), expected, atol=1e-10)


@pytest.mark.parametrize('spread', [0.0, 0.2], ids=['default_taps', 'learned_taps'])
def test_agrees_with_the_convolution_layer(spread, generator):
    kernels = random_kernels(4, generator, spread, torch.float32)
    x = torch.stack([texture(12, 14, 0.4 * t, -0.3 * t) for t in range(4)])  # (T, H, W)
    x = (x + 20 * torch.randn(2, 4, 4, 12, 14, generator=generator)).float()
    x[:, :, :, :5, :5] = 100  # flat: no gradient
    u = rep_flow_ref(x, *SCALARS, *kernels, num_iters=20)
    assert u.abs().max() > 0.5
    scalars = [torch.tensor(value, dtype=x.dtype) for value in SCALARS]
    assert_close(u, released_rep_flow(x, *scalars, *kernels, num_iters=20), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    'shift',
    [(0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5), (0.5, -0.5)],
    ids=['right', 'left', 'down', 'up', 'right_up'],
)
@pytest.mark.parametrize('kind', ['central', 'sobel'])
def test_known_translation(shift, kind):
    frames = torch.stack([texture(40, 48, t * shift[0], t * shift[1]) for t in range(3)])
    kernel = default_image_kernel(1, kind, dtype=torch.float64)
    u = rep_flow_ref(frames[None, None], *SCALARS, num_iters=60, image_kernel=kernel)
    inner = u[0, :, :, 4:-4, 4:-4].flatten(2)  # (2, T-1, ...)
    expected = torch.tensor(shift, dtype=torch.float64)[:, None].expand(2, 2)
    assert_close(inner.median(dim=-1).values, expected, rtol=0, atol=0.05)


def test_channels_clips_and_pairs_are_solved_on_their_own(generator):
    x = torch.rand(2, 3, 4, 5, 6, generator=generator, dtype=torch.float64) * 100
    u = rep_flow_ref(x, *SCALARS, num_iters=5)
    assert u.shape == (2, 6, 3, 5, 6)
    for clip, channel, pair in ((0, 0, 0), (1, 2, 1), (0, 1, 2)):
        alone = rep_flow_ref(x[clip, channel, pair : pair + 2][None, None], *SCALARS, num_iters=5)
        assert_close(alone[0, :, 0], u[clip, [channel, 3 + channel], pair])


def test_offset_and_sign_do_not_matter(generator):
    x = torch.rand(1, 2, 3, 6, 5, generator=generator, dtype=torch.float64) * 100
    # Zeros outside the frame enter none of the central differences.
    assert_close(rep_flow_ref(70 - x, *SCALARS, num_iters=8), rep_flow_ref(x, *SCALARS, num_iters=8))


@pytest.mark.parametrize('x', [torch.full((1, 2, 3, 4, 5), 7.0), torch.zeros(1, 1, 2, 3, 3)], ids=['sevens', 'zeros'])
def test_constant_input_gives_no_flow_and_a_finite_gradient(x):
    x.requires_grad_()
    u = rep_flow_ref(x, *SCALARS, num_iters=10)
    u.sum().backward()
    assert not u.any() and x.grad.isfinite().all()


def test_no_iterations_give_zeros():
    u = rep_flow_ref(torch.rand(2, 3, 4, 5, 6), *SCALARS, num_iters=0)
    assert u.shape == (2, 6, 3, 5, 6) and not u.any()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_result_has_the_dtype_of_the_features(dtype, generator):
    x = (torch.rand(1, 2, 3, 8, 9, generator=generator, dtype=torch.float64) * 255).to(dtype)
    x[:, :, :, :4, :4] = 3  # flat: a norm of the gradient that half precision cannot hold
    x.requires_grad_()
    theta = torch.tensor(0.3, requires_grad=True)
    u = rep_flow_ref(x, theta, 0.15, 0.25, num_iters=10)
    u.sum().backward()
    assert u.dtype == x.grad.dtype == dtype
    assert x.grad.isfinite().all() and theta.grad.isfinite()
    exact = rep_flow_ref(x.detach().double(), 0.3, 0.15, 0.25, num_iters=10)
    tolerance = 4 * max(torch.finfo(dtype).eps, 1e-5) * exact.abs().max().item()
    assert_close(u.double(), exact, rtol=0, atol=tolerance)


def test_scalars_and_kernels_may_have_another_dtype(generator):
    x = torch.rand(1, 2, 3, 4, 5, generator=generator, dtype=torch.float64) * 20
    kernels = random_kernels(2, generator, dtype=torch.float32)
    scalars = [torch.tensor([0.25]), torch.tensor(0.125), 0.5]
    expected = rep_flow_ref(x, 0.25, 0.125, 0.5, *(kernel.double() for kernel in kernels), num_iters=4)
    assert_close(rep_flow_ref(x, *scalars, *kernels, num_iters=4), expected, rtol=0, atol=0)


ARGUMENTS = ('x', 'theta', 'lam', 'tau', *KERNELS)


@pytest.mark.parametrize('name', ARGUMENTS)
def test_gradcheck(name, generator):
    x = torch.rand(1, 2, 3, 4, 3, generator=generator, dtype=torch.float64) * 10
    scalars = [torch.tensor(value, dtype=torch.float64) for value in SCALARS]
    values = dict(zip(ARGUMENTS, (x, *scalars, *random_kernels(2, generator, spread=0.1))))

    def solve(value):
        return rep_flow_ref(num_iters=4, **{**values, name: value})

    assert torch.autograd.gradcheck(solve, values[name].requires_grad_(), eps=1e-6, atol=1e-6)
    assert torch.autograd.grad(solve(values[name]).square().sum(), values[name])[0].abs().min() > 0
