"""TV-L1 flow: what is refused."""

import pytest
import torch
from image_pair_cases import needs_compiler

from repflow_mm.ops import tvl1_flow
from repflow_mm.ops.cpu import levels


class TestGuards:
    @pytest.mark.parametrize(
        'parameter, error, message',
        [
            (dict(tau=0), ValueError, 'tau must be > 0, got 0'),
            (dict(lam=-0.1), ValueError, r'lam must be > 0, got -0\.1'),
            (dict(theta=0.0), ValueError, r'theta must be > 0, got 0\.0'),
            (dict(theta='0.3'), TypeError, "theta must be a number, got str '0.3'"),
            (dict(lam=True), TypeError, 'lam must be a number, got bool True'),
            (dict(tau=float('nan')), ValueError, 'tau must be finite, got nan'),
            (dict(epsilon=None), TypeError, 'epsilon must be a number, got NoneType None'),
            (dict(epsilon=-1), ValueError, 'epsilon must be >= 0, got -1'),
            (dict(scale_factor=1), ValueError, 'scale_factor must be between 0 and 1, both excluded, got 1'),
            (dict(scale_factor=0.0), ValueError, r'scale_factor must be .* got 0\.0'),
            (dict(num_scales=0), ValueError, 'num_scales must be >= 1, got 0'),
            (dict(num_warps=0), ValueError, 'num_warps must be >= 1, got 0'),
            (dict(inner_iters=2.0), TypeError, r'inner_iters must be an int, got float 2\.0'),
            (dict(outer_iters=-1), ValueError, 'outer_iters must be >= 1, got -1'),
            (dict(median_filter=4), ValueError, r'median_filter must be one of \(1, 3, 5\), got 4'),
            (dict(backend='gpu'), ValueError, r"backend must be one of \('auto', 'cpu', 'reference'\), got 'gpu'"),
        ],
        ids=str,
    )
    def test_parameters(self, parameter, error, message):
        with pytest.raises(error, match=message):
            tvl1_flow(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4), **parameter)

    @pytest.mark.parametrize('backend', ['cpu', 'reference'])
    @pytest.mark.parametrize('absurd', [dict(tau=1e300), dict(theta=1e300), dict(theta=1e-300)], ids=str)
    def test_parameters_that_overflow_are_refused(self, backend, absurd):
        prev = torch.rand(1, 1, 20, 24, generator=torch.Generator().manual_seed(0)) * 255
        with pytest.raises(
            ValueError, match=r'^tvl1_flow: the flow overflows torch\.float32 with .*Parameters\(.*; take'
        ):
            tvl1_flow(
                prev,
                prev.flip(3),
                **dict(num_warps=2, outer_iters=2, inner_iters=5, num_scales=2),
                **absurd,
                backend=backend,
            )

    def test_too_many_iterations(self):
        image = torch.zeros(1, 1, 4, 4)
        with pytest.raises(ValueError, match='^inner_iters must be <= 10000, got 30000000'):
            tvl1_flow(image, image, inner_iters=30_000_000)
        with pytest.raises(ValueError, match=r'^num_warps \* inner_iters \* outer_iters must be <= 100000, got 110000'):
            tvl1_flow(image, image, **dict(num_warps=100, inner_iters=100, outer_iters=11))

    @needs_compiler
    def test_the_fused_solver_names_what_it_cannot_do(self):
        images = torch.zeros(1, 2, 4, 4, device='meta')
        assert levels.unsupported_reasons(images) == ['device is meta (supported: cpu)']
