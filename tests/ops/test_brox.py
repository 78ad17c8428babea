"""Brox flow: what it finds, the fused solver against the reference, its discretisation by hand, and what is refused."""

from pathlib import Path

import image_pair_cases
import pytest
import torch
from image_pair_cases import moved_pair, needs_compiler, noise_pair
from torch.testing import assert_close

from repflow_mm.ops import brox_flow, brox_reference, tvl1_flow
from repflow_mm.ops.brox_parameters import BroxParameters
from repflow_mm.ops.cpu import brox as brox_cpu
from repflow_mm.testing.true_flow import end_point_errors, read_pair
from repflow_mm.testing.warps import WARPS, draw_batch

RUBBERWHALE = Path(__file__).parents[3] / 'shared' / 'data' / 'rubberwhale'

FEW = image_pair_cases.FEW[brox_flow]


class TestKnownMotion:
    def test_flow_is_in_pixels_of_the_images_whatever_the_pyramid(self):
        pair = moved_pair(1, -0.5, height=48, width=40)
        for num_levels, scale_factor in ((1, 0.8), (3, 0.8), (3, 0.5)):
            u = brox_flow(*pair, scale_factor=scale_factor, outer_iterations=num_levels)
            assert_close(u[0, :, 8:-8, 8:-8].mean(dim=(1, 2)), torch.tensor([1, -0.5]).double(), rtol=0, atol=0.1)

    def test_the_gradient_s_constancy_bears_another_light(self):
        prev, following = moved_pair(1.5, -0.75)
        brighter = (0.7 * following + 60).clamp(0, 255)
        truth = torch.tensor([1.5, -0.75]).double()[:, None, None].expand(1, 2, 40, 48)
        with_gradient, without = (
            end_point_errors(brox_flow(0.7 * prev + 30, brighter, gamma=gamma), truth) for gamma in (50.0, 0.0)
        )
        assert with_gradient < 0.1 < 0.5 < without


@needs_compiler
class TestFusedIsTheReference:
    @pytest.mark.parametrize(
        'size', [(2, 2), (2, 9), (9, 2), (3, 3), (4, 5), (5, 4), (16, 16), (17, 15), (20, 33), (33, 64)], ids=str
    )
    def test_sizes(self, size):
        self.compare(noise_pair(2, *size))

    @pytest.mark.parametrize(
        'changed',
        [
            dict(alpha=1.0),
            dict(gamma=0.0),
            dict(gamma=5),
            dict(scale_factor=0.5),
            dict(inner_iterations=1, solver_iterations=1),
            dict(solver_iterations=23),
            dict(outer_iterations=1),
        ],
        ids=str,
    )
    def test_parameters(self, changed):
        self.compare(noise_pair(2, 48, 50), **changed)

    def test_defaults_on_the_synthetic_warps(self):
        prev, following, _ = (tensor.double() for tensor in draw_batch(40, len(WARPS)))
        expected, actual = (brox_flow(prev, following, backend=backend) for backend in ('reference', 'cpu'))
        assert_close(actual, expected, rtol=0, atol=1e-8)

    def test_float32_is_about_as_exact_as_the_eager_reference(self):
        pair = noise_pair(4, 30, 33)
        exact = brox_flow(*pair, **FEW, backend='reference')
        eager, fused = (
            brox_flow(*(image.float() for image in pair), **FEW, backend=backend) for backend in ('reference', 'cpu')
        )
        errors = [(u.double() - exact).abs().mean() for u in (eager, fused)]
        assert errors[1] <= 2 * errors[0] + 2 * torch.finfo(torch.float32).eps * exact.abs().max()

    @staticmethod
    def compare(pair, **changed):
        parameters = {**FEW, **changed}
        expected, actual = (brox_flow(*pair, **parameters, backend=backend) for backend in ('reference', 'cpu'))
        assert expected.abs().max() > 1e-4
        assert_close(actual, expected, rtol=0, atol=1e-12)


class TestOneLevel:
    def test_it_minimises_the_energy(self):
        """Where the iterations have ended, the derivatives of data and smoothness cancel: those of autograd."""
        images = torch.cat(moved_pair(0.3, 0.2, height=8, width=9), dim=1) / 255
        start = torch.zeros(1, 2, 8, 9, dtype=torch.float64)
        many = BroxParameters(inner_iterations=400, solver_iterations=40)
        u = brox_reference.solve_level_ref(images, start, many).requires_grad_()
        residuals = brox_reference.linearise(*images.split(1, dim=1), start, many.gamma)

        squared = sum(residual.at(u) ** 2 for residual in residuals)
        (data_gradient,) = torch.autograd.grad((squared + brox_reference.EPSILON**2).sqrt().sum(), u)
        # Of the smoothness, the solver differentiates the differences across an edge and keeps the weights.
        east, south = brox_reference.smoothness_weights(u.detach())
        in_rows, in_columns = u[..., 1:] - u[..., :-1], u[..., 1:, :] - u[..., :-1, :]
        (smooth_gradient,) = torch.autograd.grad((east * in_rows**2).sum() + (south * in_columns**2).sum(), u)
        assert data_gradient.abs().max() > 0.1
        assert_close(data_gradient + many.alpha * smooth_gradient, torch.zeros_like(u), rtol=0, atol=1e-6)

    def test_sweeps_solve_the_linear_system(self):
        images = torch.cat(noise_pair(1, 5, 6), dim=1) / 255
        u = torch.zeros(1, 2, 5, 6, dtype=torch.float64)
        residuals = brox_reference.linearise(*images.split(1, dim=1), u, 50.0)
        once = BroxParameters(alpha=0.002, inner_iterations=1, solver_iterations=900)
        system = brox_reference.linear_system(residuals, u, once.alpha)
        solved = brox_reference.solve_level_ref(images, u, once)
        assert_close(brox_reference.relax(solved, system), solved, rtol=0, atol=1e-10)

    @pytest.mark.parametrize(
        'solve',
        [
            pytest.param(brox_cpu.solve_level, marks=needs_compiler, id='cpu'),
            pytest.param(brox_reference.solve_level_ref, id='reference'),
        ],
    )
    def test_what_leaves_the_image_has_no_data_term(self, solve):
        images = torch.cat(noise_pair(1, 6, 6), dim=1) / 255
        away = torch.full((1, 2, 6, 6), 6.5, dtype=torch.float64)
        assert_close(solve(images, away, BroxParameters()), away, rtol=0, atol=1e-12)

    def test_borders_have_no_gradient_term(self):
        first, second = (image / 255 for image in noise_pair(1, 5, 6))
        _, along_x, along_y = brox_reference.linearise(first, second, torch.zeros(1, 2, 5, 6).double(), 4.0)
        inner = torch.zeros(5, 6, dtype=torch.bool)
        inner[1:-1, 1:-1] = True
        for residual in (along_x, along_y):
            assert all((field[0, 0] != 0).equal(inner) for field in residual)

    def test_derivative_by_hand(self):
        image = torch.tensor([[0.0, 1.0, 8.0, 27.0, 64.0, 125.0]]).double()[None, None]
        slope = brox_reference.derivative_x(image)[0, 0, 0]
        # Exact for cubic polynomials, 3 x^2, where the border is not repeated.
        assert_close(slope[2:4], torch.tensor([12.0, 27.0]).double())
        assert_close(slope[0], torch.tensor((8 * 1.0 - 8.0) / 12).double())

    def test_smoothness_weights_by_hand(self):
        u = torch.zeros(1, 2, 2, 3, dtype=torch.float64)
        u[0, 0] = torch.tensor([[0.0, 2.0, 2.0], [0.0, 0.0, 0.0]])
        in_rows, in_columns = brox_reference.smoothness_weights(u)
        # First row: across 2, along the mean of 0 and -2 / 2; second column of the columns: across -2, along 1 and 0.
        assert in_rows[0, 0, 0, 0].item() == pytest.approx(1 / (2 * (4 + 0.25 + 1e-6) ** 0.5))
        assert in_columns[0, 0, 0, 1].item() == pytest.approx(1 / (2 * (4 + 0.25 + 1e-6) ** 0.5))
        assert in_rows[0, 0, 0, 1].item() == pytest.approx(1 / (2 * (0 + 1 + 1e-6) ** 0.5))


class TestGradient:
    def test_reference_is_differentiable_in_both_images(self):
        few = dict(FEW, outer_iterations=1, solver_iterations=2)
        pair = [image.requires_grad_() for image in moved_pair(0.3, 0.2, height=6, width=7)]
        assert torch.autograd.gradcheck(lambda a, b: brox_flow(a, b, **few, backend='reference'), pair, atol=1e-6)

    def test_auto_takes_the_reference_for_gradients(self):
        prev, following = (image[:, :, :6, :6].float() for image in noise_pair(1))
        u = brox_flow(prev.requires_grad_(), following, **FEW)
        u.sum().backward()
        assert prev.grad.abs().sum() > 0

    @needs_compiler
    def test_fused_solver_refuses_gradients(self):
        prev, following = noise_pair(1)
        following.requires_grad_()
        message = r"brox_flow: backend='cpu' cannot run\n  images: shape=\(1, 2, 20, 21\) float64 cpu\n  - the images "
        with pytest.raises(NotImplementedError, match=message + r"require gradients \(supported: backend='reference'"):
            brox_flow(prev, following, backend='cpu')
        with torch.no_grad():
            assert not brox_flow(prev, following, **FEW, backend='cpu').requires_grad


class TestAgainstTVL1:
    @pytest.mark.parametrize('size', [112, 224])
    def test_synthetic_warps(self, size):
        prev, following, truth = draw_batch(size, len(WARPS))
        errors = [end_point_errors(flow(prev, following), truth).mean() for flow in (brox_flow, tvl1_flow)]
        assert errors[0] <= errors[1]

    @pytest.mark.skipif(not RUBBERWHALE.is_dir(), reason='no real pair beside the checkout')
    def test_real_pair(self):
        files = (RUBBERWHALE / name for name in ('rubberwhale1.png', 'rubberwhale2.png', 'flow_gt.flo'))
        prev, following, truth = read_pair(*files)
        u = brox_flow(prev, following)
        error = end_point_errors(u, truth).item()
        assert error <= end_point_errors(tvl1_flow(prev, following), truth).item()
        assert error < 0.092
        for wrong in (-u, u.flip(1)):
            assert end_point_errors(wrong, truth).item() > 1


class TestGuards:
    @pytest.mark.parametrize(
        'parameter, error, message',
        [
            (dict(alpha=0), ValueError, 'alpha must be > 0, got 0'),
            (dict(gamma=-0.1), ValueError, r'gamma must be >= 0, got -0\.1'),
            (dict(alpha='0.3'), TypeError, "alpha must be a number, got str '0.3'"),
            (dict(gamma=True), TypeError, 'gamma must be a number, got bool True'),
            (dict(alpha=float('nan')), ValueError, 'alpha must be finite, got nan'),
            (dict(scale_factor=1), ValueError, 'scale_factor must be between 0 and 1, both excluded, got 1'),
            (dict(scale_factor=0.0), ValueError, r'scale_factor must be .* got 0\.0'),
            (dict(inner_iterations=0), ValueError, 'inner_iterations must be >= 1, got 0'),
            (dict(outer_iterations=2.0), TypeError, r'outer_iterations must be an int, got float 2\.0'),
            (dict(solver_iterations=-1), ValueError, 'solver_iterations must be >= 1, got -1'),
            (dict(backend='gpu'), ValueError, r"backend must be one of \('auto', 'cpu', 'reference'\), got 'gpu'"),
        ],
        ids=str,
    )
    def test_parameters(self, parameter, error, message):
        with pytest.raises(error, match=message):
            brox_flow(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4), **parameter)

    @pytest.mark.parametrize('backend', ['cpu', 'reference'])
    @pytest.mark.parametrize('absurd', [dict(alpha=1e300), dict(gamma=1e300), dict(alpha=1e-300)], ids=str)
    def test_parameters_that_overflow_are_refused(self, backend, absurd):
        prev = torch.rand(1, 1, 20, 24, generator=torch.Generator().manual_seed(0)) * 255
        with pytest.raises(
            ValueError, match=r'^brox_flow: the flow overflows torch\.float32 with .*Parameters\(.*; take'
        ):
            brox_flow(
                prev,
                prev.flip(3),
                **dict(outer_iterations=2, inner_iterations=2, solver_iterations=2),
                **absurd,
                backend=backend,
            )

    def test_too_many_iterations(self):
        image = torch.zeros(1, 1, 4, 4)
        with pytest.raises(ValueError, match='^inner_iterations must be <= 10000, got 30000000'):
            brox_flow(image, image, inner_iterations=30_000_000)
        with pytest.raises(ValueError, match=r'^inner_iterations \* solver_iterations must be <= 100000, got 101000'):
            brox_flow(image, image, **dict(inner_iterations=101, solver_iterations=1000))
