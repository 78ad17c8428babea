import logging

import pytest
import torch
from torch.testing import assert_close

from repflow_mm.ops import backends as module
from repflow_mm.ops import rep_flow, rep_flow_ref

SCALARS = (0.3, 0.15, 0.25)
HALF = [torch.float16, torch.bfloat16]
SHAPE = (1, 2, 3, 6, 5)


@pytest.fixture
def x():
    return torch.rand(SHAPE, generator=torch.Generator().manual_seed(0)) * 255


@pytest.fixture
def backends(monkeypatch):
    """Two backends in place of the real ones: 'fast', which cannot run on float64, and 'slow', which always can."""

    def reasons(x):
        return ['dtype is float64 (supported: float32)', 'x is too good'] if x.dtype == torch.float64 else []

    def solve_as(name):
        def solve(x, *arguments):
            calls.append((name, x, arguments))
            return rep_flow_ref(x, *arguments)

        return solve

    calls = []
    fast = module.Backend(unsupported_reasons=reasons, solve=solve_as('fast'))
    slow = module.Backend(unsupported_reasons=lambda x: [], solve=solve_as('slow'))
    monkeypatch.setattr(module, 'BACKENDS', {'fast': fast, 'slow': slow})
    return calls


class TestBackends:
    @pytest.mark.parametrize('dtype', [torch.float32, torch.float64, *HALF], ids=str)
    def test_auto_agrees_with_the_reference(self, x, dtype):
        x = x.to(dtype)
        u = rep_flow(x, *SCALARS, num_iters=10)
        tolerance = 1e-4 if dtype in (torch.float32, torch.float64) else 2 * torch.finfo(dtype).eps
        assert_close(u, rep_flow_ref(x, *SCALARS, num_iters=10), rtol=tolerance, atol=tolerance)

    def test_the_reference_can_always_run(self, x):
        assert 'reference' in module.BACKENDS
        u = rep_flow(x, *SCALARS, num_iters=3, backend='reference')
        assert_close(u, rep_flow_ref(x, *SCALARS, num_iters=3), rtol=0, atol=0)
        assert module.choose_backend(x.to('meta').double()) in module.BACKENDS.values()

    @pytest.mark.parametrize('dtype, name', [(torch.float32, 'fast'), (torch.float64, 'slow')], ids=str)
    def test_auto_takes_the_first_that_can_run(self, backends, x, dtype, name):
        rep_flow(x.to(dtype), *SCALARS, num_iters=2)
        assert [call[0] for call in backends] == [name]

    def test_a_named_backend_is_taken(self, backends, x):
        rep_flow(x, *SCALARS, num_iters=2, backend='slow')
        assert [call[0] for call in backends] == ['slow']

    def test_backends_get_tensors_of_the_features_dtype(self, backends, x):
        rep_flow(x.half(), 0.3, torch.tensor([0.15], dtype=torch.float64), 0.25, num_iters=2)
        ((_, features, (*scalars, image_kernel, flow_kernel, div_kernel, num_iters)),) = backends
        assert num_iters == 2 and all(scalar.shape == () for scalar in scalars)
        assert [tuple(k.shape) for k in (image_kernel, flow_kernel, div_kernel)] == [(2, 2, 3, 3), (2, 2, 2), (2, 2, 2)]
        tensors = (features, *scalars, image_kernel, flow_kernel, div_kernel)
        assert all(tensor.dtype == torch.float32 for tensor in tensors)

    def test_the_choice_is_logged_once(self, backends, x, caplog):
        module._log_choice.cache_clear()
        with caplog.at_level(logging.INFO, logger=module.logger.name):
            for _ in range(3):
                rep_flow(x, *SCALARS, num_iters=1)
        assert [record.getMessage() for record in caplog.records] == [
            "rep_flow: backend 'fast' for float32 tensors on cpu"
        ]

    def test_unknown_backend(self, x):
        with pytest.raises(ValueError, match=r"backend must be one of \('auto', .*'reference'\), got 'cuda12'"):
            rep_flow(x, *SCALARS, num_iters=2, backend='cuda12')

    def test_a_backend_that_cannot_run_says_why(self, backends, x):
        with pytest.raises(NotImplementedError) as caught:
            rep_flow(x.double(), *SCALARS, num_iters=2, backend='fast')
        assert str(caught.value).splitlines() == [
            "rep_flow: backend='fast' cannot run",
            '  x: shape=(1, 2, 3, 6, 5) float64 cpu',
            '  - dtype is float64 (supported: float32)',
            '  - x is too good',
        ]
        assert not backends


class TestDtypes:
    @pytest.mark.parametrize('dtype', HALF, ids=str)
    def test_half_input_is_solved_in_float32(self, x, dtype):
        x = x.to(dtype).requires_grad_()
        u = rep_flow(x, *SCALARS, num_iters=20)
        u.sum().backward()
        assert u.dtype == x.grad.dtype == dtype and x.grad.isfinite().all()
        assert_close(u, rep_flow(x.detach().float(), *SCALARS, num_iters=20).to(dtype), rtol=0, atol=0)

    @pytest.mark.parametrize('features', [torch.float32, *HALF], ids=str)
    @pytest.mark.parametrize('autocast', HALF, ids=str)
    @pytest.mark.parametrize('backend', ['auto', 'reference'])
    def test_autocast_solves_in_float32(self, x, backend, autocast, features):
        x = x.to(features).requires_grad_()
        scalars = [torch.tensor(value, requires_grad=True) for value in SCALARS]
        kernels = [torch.tensor((-1.0, 1.0)).repeat(2, 2, 1).requires_grad_() for _ in range(2)]
        with torch.autocast('cpu', dtype=autocast):
            u = rep_flow(x, *scalars, None, *kernels, num_iters=20, backend=backend)
        assert u.dtype == torch.float32
        assert_close(u, rep_flow(x.float(), *scalars, None, *kernels, num_iters=20, backend=backend), rtol=0, atol=0)
        u.square().mean().backward()
        for tensor in (x, *scalars, *kernels):
            assert tensor.grad.isfinite().all() and tensor.grad.dtype == tensor.dtype

    def test_autocast_solves_float64_in_float64(self, x):
        with torch.autocast('cpu', dtype=torch.bfloat16):
            u = rep_flow(x.double(), *SCALARS, num_iters=5)
        assert_close(u, rep_flow(x.double(), *SCALARS, num_iters=5), rtol=0, atol=0)


BAD_ARGUMENTS = {
    'no_tensor': (dict(x=[[1.0]]), TypeError, 'x must be a tensor, got list'),
    'rank_4': (
        dict(x=torch.rand(2, 3, 4, 5)),
        ValueError,
        r'x must have shape \(N, C, T, H, W\), got 4 dimensions: \(2, 3, 4, 5\)',
    ),
    'one_frame': (dict(x=torch.rand(1, 2, 1, 4, 5)), ValueError, r'T >= 2, got T = 1 in shape \(1, 2, 1, 4, 5\)'),
    'one_row': (dict(x=torch.rand(1, 2, 3, 1, 5)), ValueError, r'H >= 2, got H = 1 in shape \(1, 2, 3, 1, 5\)'),
    'one_column': (dict(x=torch.rand(1, 2, 3, 4, 1)), ValueError, r'W >= 2, got W = 1 in shape \(1, 2, 3, 4, 1\)'),
    'integer_x': (dict(x=torch.ones(SHAPE, dtype=torch.int64)), TypeError, 'x must have a floating-.*got torch.int64'),
    'bool_x': (dict(x=torch.ones(SHAPE, dtype=torch.bool)), TypeError, 'x must have a floating-point.*got torch.bool'),
    'sparse_x': (dict(x=torch.rand(SHAPE).to_sparse()), TypeError, 'x must be a dense tensor, got torch.sparse_coo'),
    'nested_x': (
        dict(x=torch.nested.nested_tensor([torch.rand(SHAPE[1:])])),
        TypeError,
        'x must be a dense tensor, got a nested one',
    ),
    'float8_x': (
        dict(x=torch.rand(SHAPE).to(torch.float8_e5m2)),
        TypeError,
        'x must have a floating-point dtype of 16 bits or more, got torch.float8_e5m2',
    ),
    'complex_x': (dict(x=torch.rand(SHAPE).to(torch.complex64)), TypeError, 'x must have a floating-.*got torch.compl'),
    'quantised_x': (
        dict(x=torch.quantize_per_tensor(torch.rand(SHAPE), 1.0, 0, torch.quint8)),
        TypeError,
        'x must have a floating-point dtype, got torch.quint8',
    ),
    'no_rows': (dict(x=torch.rand(1, 2, 3, 0, 5)), ValueError, r'H >= 2, got H = 0 in shape \(1, 2, 3, 0, 5\)'),
    'meta_theta': (
        dict(theta=torch.tensor(0.3, device='meta')),
        ValueError,
        'theta must have a value, got a tensor on device meta with x on cpu',
    ),
    'huge_lam': (dict(lam=10**400), ValueError, 'lam must be a number that a float can hold, got an int of 1329 bits'),
    'sparse_tau': (
        dict(tau=torch.tensor([0.25]).to_sparse()),
        TypeError,
        'tau must be a dense tensor, got torch.sparse_coo',
    ),
    'large_num_iters': (dict(num_iters=30_000_000), ValueError, 'num_iters must be <= 10000, got 30000000'),
    'wide_num_iters': (dict(num_iters=2**62), ValueError, 'num_iters must be <= 10000, got 4611686018427387904'),
    'huge_num_iters': (dict(num_iters=10**400), ValueError, 'num_iters must be <= 10000, got an int of 1329 bits'),
    'negative_num_iters': (dict(num_iters=-1), ValueError, 'num_iters must be >= 0, got -1'),
    'float_num_iters': (dict(num_iters=2.5), TypeError, 'num_iters must be an int, got float 2.5'),
    'bool_num_iters': (dict(num_iters=True), TypeError, 'num_iters must be an int, got bool True'),
    'text_theta': (dict(theta='0.3'), TypeError, 'theta must be a number or a tensor of one element, got str'),
    'bool_lam': (dict(lam=False), TypeError, 'lam must be a number or a tensor of one element, got bool'),
    'no_tau': (dict(tau=None), TypeError, 'tau must be a number or a tensor of one element, got NoneType'),
    'zero_theta': (dict(theta=0), ValueError, 'theta must be > 0, got 0'),
    'negative_theta': (dict(theta=-0.3), ValueError, 'theta must be > 0, got -0.3'),
    'negative_tau': (dict(tau=-1e-3), ValueError, 'tau must be > 0, got -0.001'),
    'long_tau': (dict(tau=torch.rand(2)), ValueError, r'tau must be a number or .* got shape \(2,\)'),
    'integer_lam': (dict(lam=torch.tensor(1)), TypeError, 'lam must have a floating-point dtype, got torch.int64'),
    'image_kernel_shape': (
        dict(image_kernel=torch.rand(2, 2, 3)),
        ValueError,
        r'image_kernel must have shape \(2, 2, 3, 3\), got \(2, 2, 3\)',
    ),
    'flow_kernel_shape': (
        dict(flow_kernel=torch.rand(2, 1, 2)),
        ValueError,
        r'flow_kernel must have shape \(2, 2, 2\), got \(2, 1, 2\)',
    ),
    'div_kernel_shape': (
        dict(div_kernel=torch.rand(2, 2, 3)),
        ValueError,
        r'div_kernel must have shape \(2, 2, 2\), got \(2, 2, 3\)',
    ),
    'integer_kernel': (
        dict(div_kernel=torch.ones(2, 2, 2, dtype=torch.int32)),
        TypeError,
        'div_kernel must have a floating-point dtype, got torch.int32',
    ),
    'listed_kernel': (dict(flow_kernel=[-1, 1]), TypeError, 'flow_kernel must be a tensor, got list'),
}


@pytest.mark.parametrize('backend', ['cpu', 'reference'])
def test_no_channels_have_no_flow(x, backend):
    assert rep_flow(x[:, :0], *SCALARS, num_iters=2, backend=backend).shape == (1, 0, 2, 6, 5)


@pytest.mark.parametrize('solver', [rep_flow, rep_flow_ref], ids=['rep_flow', 'rep_flow_ref'])
@pytest.mark.parametrize('bad, error, message', BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_bad_argument(solver, bad, error, message, x):
    arguments = dict(x=x, theta=0.3, lam=0.15, tau=0.25, num_iters=2)
    with pytest.raises(error, match=message):
        solver(**{**arguments, **bad})


def test_values_of_tensors_are_not_waited_for(x):
    theta, tau = torch.tensor(-0.3), torch.tensor(0.0)
    assert rep_flow(x, theta, 0.15, tau, num_iters=2).shape == (1, 4, 2, 6, 5)


def test_meta_tensors_give_the_shape():
    assert rep_flow(torch.empty(1, 2, 3, 5, 4, device='meta'), 0.3, 0.15, 0.25, num_iters=2).shape == (1, 4, 2, 5, 4)
