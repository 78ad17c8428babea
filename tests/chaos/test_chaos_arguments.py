"""The short form: a batch of each check, and that each finds a fault."""

import pytest
import torch
from hypothesis import strategies as st

from repflow_mm.chaos import arguments
from repflow_mm.ops import rep_flow, tvl1_flow


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize('check', arguments.CHECKS.values(), ids=arguments.CHECKS)
def test_random_arguments_are_right_or_refused(check):
    assert arguments.try_batch(check, 7, 40) == ''


def test_some_of_them_are_right(monkeypatch):
    compared = []
    compare = arguments._compare
    monkeypatch.setattr(arguments, '_compare', lambda *args, **kwargs: compared.append(compare(*args, **kwargs)))
    for name in ('rep_flow', 'RepresentationFlow', 'FlowBlock', 'tvl1_flow'):
        compared.clear()
        arguments.try_batch(arguments.CHECKS[name], 7, 40)
        assert len(compared) >= 2, name


def fail(*args, **kwargs):
    raise OverflowError('int too large')


def wrong_gradient(x, theta, lam, *args, **kwargs):
    u = rep_flow(x, theta, lam, *args, **kwargs)
    return u - (lam - lam.detach()) if torch.is_tensor(lam) else u


@pytest.mark.parametrize(
    ('name', 'check', 'fault', 'why'),
    [
        ('rep_flow', 'rep_flow', lambda *args, **kwargs: rep_flow(*args, **kwargs) + 1, 'AssertionError: off by'),
        ('rep_flow', 'rep_flow', lambda *args, **kwargs: rep_flow(*args, **kwargs)[1:], 'AssertionError: torch.'),
        ('rep_flow', 'rep_flow', wrong_gradient, 'AssertionError: off by'),
        ('rep_flow', 'rep_flow', fail, 'OverflowError: int too large'),
        (
            'tvl1_flow',
            'tvl1_flow',
            lambda *a, **k: tvl1_flow(*a, **k) * float('nan'),
            'the flow of finite images is not',
        ),
        (
            'tvl1_flow',
            'tvl1_flow',
            lambda *a, backend='auto', **k: tvl1_flow(*a, backend=backend, **k) + (backend == 'auto'),
            'AssertionError: off by',
        ),
    ],
)
def test_faults_are_found(monkeypatch, name, check, fault, why):
    monkeypatch.setattr(arguments, name, fault)
    assert why in arguments.try_batch(arguments.CHECKS[check], 7, 200)


def test_same_seed_draws_the_same():
    drawn = ([], [])
    for values in drawn:
        arguments.try_batch(lambda data, values=values: values.append(data.draw(st.integers())), 3, 20)
    assert drawn[0] == drawn[1]
