"""TV-L1 flow: what it finds, the fused solver against the reference and OpenCV's."""

from pathlib import Path

import image_pair_cases
import pytest
import torch
from image_pair_cases import moved_pair, needs_compiler, noise_pair
from torch.testing import assert_close

from repflow_mm.ops import rep_flow, tvl1_flow, tvl1_reference
from repflow_mm.ops.cpu import tvl1 as tvl1_cpu
from repflow_mm.ops.image_pairs import pyramid_sizes
from repflow_mm.ops.tvl1_parameters import TVL1Parameters
from repflow_mm.testing.opencv_tvl1 import opencv_flow
from repflow_mm.testing.true_flow import end_point_errors, read_pair
from repflow_mm.testing.warps import WARPS, draw_batch

RUBBERWHALE = Path(__file__).parents[3] / 'shared' / 'data' / 'rubberwhale'

LEVELS = [pytest.param(tvl1_cpu.solve_level, marks=needs_compiler, id='cpu')]
LEVELS.append(pytest.param(tvl1_reference.solve_level_ref, id='reference'))
FEW = image_pair_cases.FEW[tvl1_flow]


class TestKnownMotion:
    def test_flow_is_in_pixels_of_the_images_whatever_the_pyramid(self):
        pair = moved_pair(2, -1, height=48, width=40)
        for num_scales, scale_factor in ((1, 0.8), (3, 0.8), (3, 0.5)):
            u = tvl1_flow(*pair, num_scales=num_scales, scale_factor=scale_factor)
            assert_close(u[0, :, 8:-8, 8:-8].mean(dim=(1, 2)), torch.tensor([2.0, -1.0]).double(), rtol=0, atol=0.1)


@needs_compiler
class TestFusedIsTheReference:
    @pytest.mark.parametrize('size', [(2, 2), (2, 9), (16, 16), (17, 15), (20, 33)], ids=str)
    def test_sizes(self, size):
        self.compare(noise_pair(2, *size))

    @pytest.mark.parametrize(
        'changed',
        [
            dict(median_filter=1),
            dict(median_filter=3),
            dict(tau=0.1, lam=0.05, theta=0.5),
            dict(epsilon=0.0, inner_iters=7, outer_iters=2),
            dict(epsilon=0.3),
            dict(num_scales=3, scale_factor=0.6),
            dict(num_warps=1, inner_iters=1, outer_iters=1),
        ],
        ids=str,
    )
    def test_parameters(self, changed):
        self.compare(noise_pair(2, 48, 50), **changed)

    def test_float32_is_about_as_exact_as_the_eager_reference(self):
        pair, fixed = noise_pair(4, 30, 33), dict(FEW, epsilon=0.0, inner_iters=5, outer_iters=2)
        exact = tvl1_flow(*pair, **fixed, backend='reference')
        eager, fused = (
            tvl1_flow(*(image.float() for image in pair), **fixed, backend=backend) for backend in ('reference', 'cpu')
        )
        errors = [(u.double() - exact).abs().mean() for u in (eager, fused)]
        assert errors[1] <= 2 * errors[0] + 2 * torch.finfo(torch.float32).eps * exact.abs().max()

    @staticmethod
    def compare(pair, **changed):
        parameters = {**FEW, **changed}
        expected, actual = (tvl1_flow(*pair, **parameters, backend=backend) for backend in ('reference', 'cpu'))
        assert expected.abs().max() > 0.05
        assert_close(actual, expected, rtol=0, atol=1e-8)


class TestOneLevel:
    @pytest.mark.parametrize('solve', LEVELS)
    @pytest.mark.parametrize('size', [3, 5])
    @pytest.mark.parametrize('width', [2, 7, 8, 16, 23])
    def test_without_contrast_one_iteration_is_the_median(self, solve, size, width):
        # Equal grey leaves the data term no say, and the dual field is still 0.
        u = torch.randn((2, 2, 6, width), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        once = TVL1Parameters(num_warps=1, inner_iters=1, outer_iters=1, median_filter=size)
        found = solve(torch.full((2, 2, 6, width), 99.0).double(), u, once)
        margin = size // 2
        for i in range(6):
            for j in range(width):
                rows = torch.arange(i - margin, i + margin + 1).clamp(0, 5)
                columns = torch.arange(j - margin, j + margin + 1).clamp(0, width - 1)
                assert torch.equal(found[:, :, i, j], u[:, :, rows][..., columns].flatten(2).median(dim=2).values)

    def test_one_warp_from_zero_is_rep_flow(self):
        frames = torch.stack(noise_pair(1, 9, 12), dim=2)  # (1, 1, 2, 9, 12)
        once = TVL1Parameters(num_warps=1, inner_iters=6, outer_iters=1, median_filter=1, epsilon=0.0)
        u = tvl1_reference.solve_level_ref(frames[:, 0], torch.zeros(1, 2, 9, 12).double(), once)
        frames[:, :, 0, [0, 1, -2, -1]] = frames[:, :, 1, [0, 1, -2, -1]]  # rep_flow takes border gradients from F1
        frames[:, :, 0, :, [0, 1, -2, -1]] = frames[:, :, 1, :, [0, 1, -2, -1]]
        again = tvl1_reference.solve_level_ref(frames[:, 0], torch.zeros(1, 2, 9, 12).double(), once)
        expected = rep_flow(frames, 0.3, 0.15, 0.25, num_iters=6, backend='reference')[:, :, 0]
        assert not torch.equal(u, again)
        assert_close(again, expected, rtol=0, atol=1e-10)

    def test_a_converged_pair_stops(self, monkeypatch):
        calls = []
        iterate = tvl1_reference.iterate
        monkeypatch.setattr(tvl1_reference, 'iterate', lambda *args: calls.append(1) or iterate(*args))
        image = torch.full((1, 2, 8, 8), 50.0)
        tvl1_reference.solve_level_ref(image, torch.zeros(1, 2, 8, 8), TVL1Parameters(num_warps=3))
        assert len(calls) == 3
        tvl1_reference.solve_level_ref(image, torch.zeros(1, 2, 8, 8), TVL1Parameters(num_warps=1, epsilon=1e-9))
        assert len(calls) == 4

    @pytest.mark.parametrize('solve', LEVELS)
    def test_what_leaves_the_image_has_no_data_term(self, solve):
        images = torch.cat(noise_pair(1, 6, 6), dim=1)
        away = torch.full((1, 2, 6, 6), 6.5, dtype=torch.float64)
        assert torch.equal(solve(images, away, TVL1Parameters(num_warps=2)), away)

    def test_warp_by_whole_pixels_copies_and_repeats_the_border(self):
        image = torch.arange(20.0).reshape(1, 1, 4, 5).double()
        moved = tvl1_reference.warp(image, torch.full_like(image, 1.0), torch.full_like(image, -1.0))
        expected = image[..., [0, 0, 1, 2], :][..., [1, 2, 3, 4, 4]]
        assert_close(moved, expected, rtol=0, atol=1e-12)

    def test_central_difference_by_hand(self):
        image = torch.tensor([[1.0, 3.0, 9.0], [2.0, 2.0, 2.0]])[None, None]
        grad_x, grad_y = tvl1_reference.central_difference(image)
        assert grad_x.tolist() == [[[[1.0, 4.0, 3.0], [0.0, 0.0, 0.0]]]]
        assert grad_y.tolist() == [[[[0.5, -0.5, -3.5], [0.5, -0.5, -3.5]]]]


@pytest.mark.parametrize('solve', LEVELS)
class TestTolerance:
    """A warp ends after the iteration that changes u by no more than epsilon, for each pair by itself."""

    def test_a_large_one_leaves_one_iteration_a_warp(self, solve):
        images, u = torch.cat(noise_pair(), dim=1), torch.zeros(2, 2, 20, 21, dtype=torch.float64)
        few = dict(num_warps=3, outer_iters=2, inner_iters=4)
        found = solve(images, u, TVL1Parameters(**few, epsilon=1e9))
        assert torch.equal(
            found, solve(images, u, TVL1Parameters(num_warps=3, outer_iters=1, inner_iters=1, epsilon=0))
        )
        assert not torch.equal(found, solve(images, u, TVL1Parameters(**few, epsilon=0)))

    def test_a_pair_that_stands_still_does_not_stop_the_other(self, solve):
        prev, following = noise_pair()
        following[0] = prev[0]
        images, u = torch.cat((prev, following), dim=1), torch.zeros(2, 2, 20, 21, dtype=torch.float64)
        few = TVL1Parameters(num_warps=3, outer_iters=2, inner_iters=4, epsilon=1e-5)
        still, moving = solve(images, u, few)
        assert_close(still, u[0], rtol=0, atol=1e-10)
        assert torch.equal(moving, solve(images[1:], u[1:], few)[0])


def test_pyramid_sizes():
    assert pyramid_sizes(388, 584, 5, 0.8) == [(388, 584), (310, 467), (248, 374), (198, 299), (158, 239)]
    assert pyramid_sizes(40, 30, 9, 0.5) == [(40, 30)]
    assert pyramid_sizes(64, 32, 9, 0.5) == [(64, 32), (32, 16)]
    assert pyramid_sizes(8, 8, 1, 0.5) == [(8, 8)]


class TestGradient:
    def test_reference_is_differentiable_in_both_images(self):
        smooth = dict(FEW, num_scales=1, epsilon=0.0, inner_iters=3, outer_iters=1, median_filter=3)
        pair = [image.requires_grad_() for image in moved_pair(0.3, 0.2, height=6, width=7)]
        assert torch.autograd.gradcheck(lambda a, b: tvl1_flow(a, b, **smooth, backend='reference'), pair, atol=1e-6)

    def test_auto_takes_the_reference_for_gradients(self):
        prev, following = (image[:, :, :6, :6].float() for image in noise_pair(1))
        u = tvl1_flow(prev.requires_grad_(), following, **FEW, outer_iters=1)
        u.sum().backward()
        assert prev.grad.abs().sum() > 0

    @needs_compiler
    def test_fused_solver_refuses_gradients(self):
        prev, following = noise_pair(1)
        following.requires_grad_()
        message = r"tvl1_flow: backend='cpu' cannot run\n  images: shape=\(1, 2, 20, 21\) float64 cpu\n  - the images "
        with pytest.raises(NotImplementedError, match=message + r"require gradients \(supported: backend='reference'"):
            tvl1_flow(prev, following, backend='cpu')
        with torch.no_grad():
            assert not tvl1_flow(prev, following, **FEW, backend='cpu').requires_grad


class TestAgainstOpenCV:
    @pytest.fixture(autouse=True)
    def needs_opencv(self):
        pytest.importorskip('cv2.optflow', reason='no OpenCV with optflow')

    def test_synthetic_warps(self):
        prev, following, truth = draw_batch(64, len(WARPS))
        expected, actual = opencv_flow(prev, following), tvl1_flow(prev, following)
        assert (actual - expected).abs().mean() < 0.1
        assert end_point_errors(actual, truth).mean() <= end_point_errors(expected, truth).mean()

    @pytest.mark.skipif(not RUBBERWHALE.is_dir(), reason='no real pair beside the checkout')
    def test_real_pair(self):
        files = (RUBBERWHALE / name for name in ('rubberwhale1.png', 'rubberwhale2.png', 'flow_gt.flo'))
        prev, following, truth = read_pair(*files)
        expected, actual = opencv_flow(prev, following), tvl1_flow(prev, following)
        error = end_point_errors(actual, truth).item()
        assert error <= end_point_errors(expected, truth).item()
        assert error < 0.16
        for wrong in (-actual, actual.flip(1)):
            assert end_point_errors(wrong, truth).item() > 1
