import pytest

from repflow_mm.ops import rep_flow_ref
from repflow_mm.testing.parity import Case, check_parity, parity_errors

CASE = Case((1, 2, 3, 6, 5), 5, learned=True)


def test_eager_reference_is_as_exact_as_itself():
    for fast, eager, largest in parity_errors(rep_flow_ref, CASE, draws=3).values():
        assert fast == eager <= largest
    check_parity(rep_flow_ref, CASE, draws=3)


def test_slightly_wrong_output_is_named():
    with pytest.raises(ValueError, match=r'N1-C2-T3-H6-W5-iters5.*: u: error .*, allowed '):
        check_parity(lambda *args, **options: rep_flow_ref(*args, **options) * (1 + 1e-4), CASE, draws=3)


def test_wrong_gradient_is_named():
    def detached_tau(x, theta, lam, tau, *rest):
        return rep_flow_ref(x, theta, lam, tau.detach(), *rest)

    with pytest.raises(ValueError, match='tau: error'):
        check_parity(detached_tau, CASE, draws=3)


def test_values_that_are_not_finite_are_named():
    with pytest.raises(ValueError, match='u is not finite'):
        check_parity(lambda *args, **options: rep_flow_ref(*args, **options) / 0, CASE, draws=1)


def test_wrong_shape_and_dtype_are_named():
    with pytest.raises(ValueError, match='u is torch.float64 of shape'):
        check_parity(lambda x, *rest, **options: rep_flow_ref(x.double(), *rest, **options), CASE, draws=1)
