from itertools import combinations

import pytest
import torch
from mmaction.registry import MODELS
from torch.testing import assert_close

import repflow_mm.models  # noqa: F401
from repflow_mm.models import RepresentationFlow
from repflow_mm.models.layers.representation_flow import LEARNABLE
from repflow_mm.ops import rep_flow_ref
from repflow_mm.ops.stencils import default_image_kernel

STATE_KEYS = ['raw_theta', 'raw_lam', 'raw_tau', 'image_kernel', 'flow_kernel', 'div_kernel']
LEARNED_BY = dict(
    theta={'raw_theta'},
    lam={'raw_lam'},
    tau={'raw_tau'},
    div={'flow_kernel', 'div_kernel'},
    image_gradient={'image_kernel'},
)
SUBSETS = [subset for size in range(len(LEARNABLE) + 1) for subset in combinations(LEARNABLE, size)]


@pytest.fixture
def x():
    return torch.rand(2, 3, 3, 6, 5, generator=torch.Generator().manual_seed(0)) * 255


@pytest.mark.parametrize('learn', SUBSETS, ids=lambda learn: '-'.join(learn) or 'nothing')
def test_what_is_learned_is_a_parameter_and_the_rest_are_buffers(learn):
    layer = RepresentationFlow(3, learn=learn)
    learned = set().union(*(LEARNED_BY[name] for name in learn))
    assert {name for name, _ in layer.named_parameters()} == learned
    assert {name for name, _ in layer.named_buffers()} == set(STATE_KEYS) - learned
    assert sorted(layer.state_dict()) == sorted(STATE_KEYS)


def test_a_checkpoint_loads_whatever_is_learned(x):
    trained = RepresentationFlow(3, learn=LEARNABLE)
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.mul_(1.25)
    other = RepresentationFlow(3, learn=())
    other.load_state_dict(trained.state_dict())
    assert_close(other(x), trained(x), rtol=0, atol=0)


def test_starts_as_the_paper_says():
    layer = RepresentationFlow(3)
    assert layer.num_iters == 20 and layer.learn == ('theta', 'lam', 'tau', 'div')
    assert [round(term.item(), 6) for term in (layer.theta, layer.lam, layer.tau)] == [0.3, 0.15, 0.25]
    assert_close(layer.div_kernel, torch.tensor((-1.0, 1.0)).expand(2, 3, 2))
    assert_close(layer.flow_kernel, layer.div_kernel)
    assert_close(layer.image_kernel, default_image_kernel(3, 'central'))


def test_solves_with_its_terms(x):
    layer = RepresentationFlow(3, num_iters=4, theta=0.4, lam=0.1, tau=0.2, image_gradient='sobel', backend='reference')
    with torch.no_grad():
        layer.div_kernel[1, 2] = torch.tensor((-0.5, 2.0))
    u = layer(x)
    assert u.shape == (2, 6, 2, 6, 5)
    kernels = (default_image_kernel(3, 'sobel'), layer.flow_kernel, layer.div_kernel)
    assert_close(u, rep_flow_ref(x, 0.4, 0.1, 0.2, *kernels, num_iters=4))


def test_every_parameter_gets_a_gradient(x):
    layer = RepresentationFlow(3, num_iters=4, learn=LEARNABLE)
    layer(x).square().mean().backward()
    for name, parameter in layer.named_parameters():
        assert parameter.grad.isfinite().all() and parameter.grad.any(), name


@pytest.mark.parametrize('direction', [1.0, -1.0], ids=['down', 'up'])
@pytest.mark.parametrize('step', [1e3, 1e6, 1e12, 1e37], ids=str)
def test_scalars_stay_positive_and_come_back_after_an_absurd_step(x, step, direction):
    layer = RepresentationFlow(3, num_iters=4)
    raws = (layer.raw_theta, layer.raw_lam, layer.raw_tau)
    start = [float(raw.detach()) for raw in raws]
    optimizer = torch.optim.SGD(raws, lr=step)
    for raw in raws:
        raw.grad = torch.full_like(raw, direction)
    optimizer.step()
    assert all(abs(float(raw.detach())) > 0.9 * step for raw in raws)
    assert all(term > 0 for term in (layer.theta, layer.lam, layer.tau))
    u = layer(x)
    u.square().mean().backward()
    assert u.isfinite().all()
    assert all(raw.grad.isfinite() for raw in raws)
    for raw, value in zip(raws, start):
        raw.grad = (raw.detach() - value) / step
    optimizer.step()
    assert all(term > 0 for term in (layer.theta, layer.lam, layer.tau))
    assert_close([float(raw.detach()) for raw in raws], start, rtol=0, atol=1e-6 * step)


@pytest.mark.parametrize('name', ['theta', 'lam', 'tau'])
def test_a_scalar_thrown_below_zero_is_trained_back(name):
    layer = RepresentationFlow(1)
    raw = getattr(layer, f'raw_{name}')
    with torch.no_grad():
        raw.fill_(-3.0)
    optimizer = torch.optim.SGD([raw], lr=0.5)
    for _ in range(30):
        optimizer.zero_grad()
        term = getattr(layer, name)
        assert term > 0
        (term - 0.5).square().backward()
        optimizer.step()
    assert getattr(layer, name).item() == pytest.approx(0.5, abs=1e-3)


def test_plain_gradient_where_positive():
    layer = RepresentationFlow(1)
    (3 * layer.theta).backward()
    assert layer.theta == layer.raw_theta and layer.raw_theta.grad == 3


def test_is_registered_and_shows_its_settings():
    layer = MODELS.build(dict(type='RepresentationFlow', channels=4, num_iters=7, learn=['tau']))
    assert isinstance(layer, RepresentationFlow)
    assert repr(layer) == "RepresentationFlow(4, num_iters=7, learn=('tau',), backend='auto')"


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(learn=('theta', 'mu')), r"learn must be .*'image_gradient'\), got \('theta', 'mu'\)"),
        (dict(learn='theta'), "learn must be a sequence of names .* got 'theta'"),
        (dict(channels=0), 'channels must be >= 1, got 0'),
        (dict(channels=2**62), 'channels must be <= 1048576, got 4611686018427387904'),
        (dict(num_iters=30_000_000), 'num_iters must be <= 10000, got 30000000'),
        (dict(num_iters=-2), 'num_iters must be >= 0, got -2'),
        (dict(image_gradient='scharr'), r"image_gradient must be one of \('central', 'sobel'\), got 'scharr'"),
        (dict(theta=0.0), 'theta must start between 0.0001 and 10000.0, got 0.0'),
        (dict(lam=2e4), 'lam must start between 0.0001 and 10000.0, got 20000.0'),
        (dict(tau=float('nan')), 'tau must start between .* got nan'),
    ],
    ids=[
        'learn',
        'learn_text',
        'channels',
        'many_channels',
        'many_iters',
        'num_iters',
        'image_gradient',
        'theta',
        'lam',
        'tau',
    ],
)
def test_bad_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        RepresentationFlow(**{'channels': 2, **arguments})


def test_start_values_must_be_numbers():
    with pytest.raises(TypeError, match="theta must be a number, got str '0.3'"):
        RepresentationFlow(2, theta='0.3')


def test_num_iters_must_be_an_integer():
    with pytest.raises(TypeError, match='num_iters must be an int, got float 2.5'):
        RepresentationFlow(2, num_iters=2.5)


def test_unknown_backend(x):
    with pytest.raises(ValueError, match="backend must be one of .* got 'abacus'"):
        RepresentationFlow(3, backend='abacus')(x)
