import pytest
import torch
from torch.testing import assert_close

from repflow_mm.ops import normalize_flow_input
from repflow_mm.ops.normalize import SCOPES


@pytest.fixture
def x():
    """Three clips of different range."""
    generator = torch.Generator().manual_seed(0)
    scale, offset = torch.tensor([1.0, 20.0, 300.0]), torch.tensor([0.0, -50.0, 7.0])
    clips = torch.randn(3, 2, 4, 5, 6, generator=generator)
    return clips * scale.view(3, 1, 1, 1, 1) + offset.view(3, 1, 1, 1, 1)


def test_each_clip_spans_the_range(x):
    y = normalize_flow_input(x)
    assert_close(y.amin((1, 2, 3, 4)), torch.zeros(3))
    assert_close(y.amax((1, 2, 3, 4)), torch.full((3,), 255.0))
    assert_close(y[1], (x[1] - x[1].min()) / (x[1].max() - x[1].min()) * 255)


def test_batch_scope_spans_the_range_over_all_clips(x):
    y = normalize_flow_input(x, scope='batch')
    assert_close(y, (x - x.min()) / (x.max() - x.min()) * 255)
    assert y[0].max() - y[0].min() < 10


def test_each_clip_has_the_mean_and_the_root_mean_square(x):
    y = normalize_flow_input(x, scope='clip_rms')
    assert_close(y.mean((1, 2, 3, 4)), torch.zeros(3), rtol=0, atol=1e-4)
    assert_close(y.square().mean((1, 2, 3, 4)).sqrt(), torch.full((3,), 64.0))
    assert_close(y[1], (x[1] - x[1].mean()) / x[1].std(correction=0) * 64, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('scope', ['clip', 'clip_rms'])
def test_a_clip_does_not_depend_on_its_batch_mates(x, scope):
    assert_close(normalize_flow_input(x, scope)[1:2], normalize_flow_input(x[1:2], scope), rtol=0, atol=0)


@pytest.mark.parametrize('scope', SCOPES)
@pytest.mark.parametrize('value', [0.0, -3.5, 1e30])
def test_constant_input_gives_zeros_and_a_finite_gradient(value, scope):
    x = torch.full((2, 1, 2, 3, 3), value, requires_grad=True)
    y = normalize_flow_input(x, scope)
    (y * torch.rand_like(y)).sum().backward()
    assert not y.any() and x.grad.isfinite().all()


def test_a_constant_clip_beside_another(x):
    x[1] = 4.0
    y = normalize_flow_input(x.requires_grad_())
    (y * torch.rand_like(y)).sum().backward()
    assert not y[1].any() and y[0].max() == 255
    assert x.grad.isfinite().all()


@pytest.mark.parametrize('scope', SCOPES)
def test_gradcheck(scope):
    x = torch.rand(2, 1, 2, 3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: normalize_flow_input(x, scope), x.requires_grad_())


@pytest.mark.parametrize('span', [1e-30, 1e-38, 1e-44], ids=['small', 'tiny', 'subnormal'])
def test_a_tiny_range_stays_finite(span):
    x = torch.zeros(1, 1, 2, 2, 2)
    x[..., 0] = span
    y = normalize_flow_input(x.requires_grad_())
    (y * torch.rand_like(y)).sum().backward()
    assert x.grad.isfinite().all()
    assert y.isfinite().all() and y.min() >= 0 and y.max() <= 255


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16], ids=str)
def test_half_input_is_scaled_in_float32(dtype):
    x = torch.randn(1, 2, 3, 4, 5, generator=torch.Generator().manual_seed(0)).to(dtype)
    y = normalize_flow_input(x)
    assert y.dtype == torch.float32
    assert_close(y, normalize_flow_input(x.float()), rtol=0, atol=0)


def test_float64_stays(x):
    assert normalize_flow_input(x.double()).dtype == torch.float64


def test_no_clips():
    assert normalize_flow_input(torch.rand(0, 2, 3, 4, 5)).shape == (0, 2, 3, 4, 5)


def test_unknown_scope(x):
    with pytest.raises(ValueError, match=r"scope must be one of \('clip', 'batch', 'clip_rms'\), got 'video'"):
        normalize_flow_input(x, scope='video')


def test_wrong_rank():
    with pytest.raises(ValueError, match=r'shape \(N, C, T, H, W\), got 4 dimensions: \(2, 3, 4, 5\)'):
        normalize_flow_input(torch.rand(2, 3, 4, 5))


@pytest.mark.parametrize('x, message', [(torch.ones(1, 1, 2, 2, 2).int(), 'got torch.int32'), ([1.0], 'got list')])
def test_no_floating_tensor(x, message):
    with pytest.raises(TypeError, match=message):
        normalize_flow_input(x)
