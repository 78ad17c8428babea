"""Random arguments of operators and layers: right, as the float64 reference has it, or one of the house's errors."""

from __future__ import annotations

import math
from collections.abc import Callable

import hypothesis
import torch
from hypothesis import strategies as st
from torch import Tensor

from repflow_mm.chaos.parts import seed_of, tries_of
from repflow_mm.models.layers import FlowBlock, RepresentationFlow
from repflow_mm.ops import rep_flow, rep_flow_ref, tvl1_flow
from repflow_mm.timed_parts.context import Context, Emit

WANTED = 10_000
BATCH = 50
HOUSE = (ValueError, TypeError, NotImplementedError)
# Of the largest value. In float64 both solvers round at 1e-16; where a pixel is at a kink, more is made of it.
TOLERANCE = 1e-6

DTYPES = (torch.float64,) * 12 + (
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.complex64,
    torch.bool,
)
ODD_NUMBERS = (math.nan, math.inf, -math.inf, 0, -1.0, 1e-300, 1e300, 10**400, True, '0.3', None)
# Of the choices of an argument, how many are plain: a call has many, and one odd one makes it an error.
PLAIN = 15


def _mostly(plain: st.SearchStrategy, odd: st.SearchStrategy) -> st.SearchStrategy:
    """Mostly the one, at times the other."""
    return st.integers(0, PLAIN).flatmap(lambda choice: plain if choice else odd)


NUMBERS = _mostly(st.floats(0.01, 2.0), st.sampled_from(ODD_NUMBERS))
SIGNED_NUMBERS = _mostly(st.floats(-0.5, 2.0), st.sampled_from(ODD_NUMBERS))
COUNTS = _mostly(st.integers(0, 8), st.sampled_from((-1, True, 2.5, '3', None, 10_001, 2**62, 10**400)))


@st.composite
def features(draw: st.DrawFn) -> Tensor:
    """Features of all shapes, dtypes and layouts; most of them allowed."""
    sizes = [
        draw(_mostly(st.integers(low, high), st.integers(0, 1)))
        for low, high in ((1, 2), (1, 3), (2, 4), (2, 9), (2, 9))
    ]
    shape = draw(_mostly(st.just(sizes), st.lists(st.integers(0, 3), max_size=6)))
    x = torch.rand(shape, generator=torch.Generator().manual_seed(draw(st.integers(0, 2**31)))) * 255
    x = x.to(draw(st.sampled_from(DTYPES)))
    form = draw(st.sampled_from(('whole', 'transposed', 'strided', 'expanded', 'sparse')))
    if form == 'transposed' and x.ndim > 1:
        x = x.transpose(-1, -2)
    elif form == 'strided' and x.ndim:
        x = torch.stack((x, x), dim=-1)[..., 0]
    elif form == 'sparse' and x.ndim and draw(st.booleans()):
        x = x.to_sparse()
    elif form == 'expanded' and x.ndim:
        x = x[:1].expand(x.shape)
    return x


@st.composite
def kernels(draw: st.DrawFn, *shape: int) -> Tensor | None:
    """Taps of that shape with a channel for each of 1 to 3, or none."""
    if draw(st.booleans()):
        return None
    channels = draw(st.integers(1, 3))
    seed = draw(st.integers(0, 2**31))
    return torch.randn(2, channels, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def check_rep_flow(data: st.DataObject) -> None:
    """One call of the operator with random arguments."""
    x = data.draw(features())
    scalars = [data.draw(numbers) for numbers in (NUMBERS, SIGNED_NUMBERS, NUMBERS)]
    taps = [data.draw(kernels(*shape)) for shape in ((3, 3), (2,), (2,))]
    num_iters = data.draw(COUNTS)
    found, error = _outcome(lambda: rep_flow(x, *scalars, *taps, num_iters=num_iters))
    expected, reference_error = _outcome(lambda: rep_flow_ref(_wide(x), *scalars, *taps, num_iters=num_iters))
    _compare_errors(error, reference_error)
    if error is None:
        _compare(found, expected, x.dtype)
        if x.dtype == torch.float64 and num_iters and all(map(_is_moderate, scalars)):
            gradients = (_gradients(solve, x, scalars, taps, num_iters) for solve in (rep_flow, rep_flow_ref))
            for one, other in zip(*gradients):
                _compare(one, other, torch.float64, factor=100)


def _is_moderate(number: float) -> bool:
    """Whether what is computed with a number overflows in no order of the steps."""
    return number == 0 or 1e-3 < abs(number) < 1e3


def _gradients(solve: Callable, x: Tensor, scalars: list, taps: list, num_iters: int) -> tuple[Tensor, ...]:
    """A solver's gradients of x, theta, lam and tau, for one gradient of u."""
    inputs = [x.clone(), *(torch.tensor(float(scalar), dtype=x.dtype) for scalar in scalars)]
    inputs = [tensor.requires_grad_() for tensor in inputs]
    u = solve(*inputs, *taps, num_iters=num_iters)
    grad_u = torch.arange(u.numel(), dtype=u.dtype).cos().view(u.shape)
    return torch.autograd.grad(u, inputs, grad_u, allow_unused=True, materialize_grads=True)


def check_layer(data: st.DataObject) -> None:
    """A layer with random arguments, on random features."""
    arguments = dict(
        channels=data.draw(_mostly(st.integers(1, 3), COUNTS)),
        num_iters=data.draw(COUNTS),
        learn=data.draw(
            st.sampled_from(
                ((), ('theta',), ('div', 'lam'), ('image_gradient',), ('theta', 'theta'), 'theta', ('rho',))
            )
        ),
        image_gradient=data.draw(_mostly(st.sampled_from(('central', 'sobel')), st.just('other'))),
        theta=data.draw(NUMBERS),
        tau=data.draw(NUMBERS),
    )
    x = data.draw(features())
    layer, _ = _outcome(lambda: RepresentationFlow(**arguments).double())
    if layer is None:
        return
    terms = (layer.theta, layer.lam, layer.tau, layer.image_kernel, layer.flow_kernel, layer.div_kernel)
    found, error = _outcome(lambda: layer(x))
    expected, reference_error = _outcome(lambda: rep_flow_ref(_wide(x), *terms, num_iters=layer.num_iters))
    _compare_errors(error, reference_error)
    if error is None:
        _compare(found, expected, x.dtype)


def check_block(data: st.DataObject) -> None:
    """A block with random arguments: as with the reference solver, gradients included."""
    arguments = dict(
        in_channels=data.draw(st.integers(1, 4)),
        channels=data.draw(st.integers(1, 3)),
        steps=data.draw(
            _mostly(st.sampled_from((('flow',), ('flow', 'conv', 'flow'), ('flow', 'flow'))), st.just(('conv',)))
        ),
        num_iters=data.draw(COUNTS),
        normalize=data.draw(_mostly(st.sampled_from(('clip', 'batch', 'clip_rms')), st.just('frame'))),
        expand_kernel_size=data.draw(_mostly(st.sampled_from((1, 3)), st.just(2))),
        fusion=data.draw(_mostly(st.sampled_from(('none', 'add', 'concat')), st.just('other'))),
        keep_length=data.draw(st.booleans()),
    )
    shape = [data.draw(st.integers(1, 2)), arguments['in_channels'], *(data.draw(st.integers(1, 6)) for _ in range(3))]
    seed = data.draw(st.integers(0, 2**31))
    results = []
    for backend in ('auto', 'reference'):
        torch.manual_seed(seed)
        x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
        results.append(_outcome(lambda x=x, backend=backend: _block_and_gradient(x, arguments, backend)))
    (found, error), (expected, reference_error) = results
    _compare_errors(error, reference_error)
    for one, other in zip(found or (), expected or ()):
        _compare(one, other, torch.float64, factor=100)


def _block_and_gradient(x: Tensor, arguments: dict, backend: str) -> tuple[Tensor, Tensor]:
    output = FlowBlock(**arguments, backend=backend).double()(x)
    (gradient,) = torch.autograd.grad(output.square().mean(), x, allow_unused=True, materialize_grads=True)
    return output.detach(), gradient


def check_tvl1(data: st.DataObject) -> None:
    """TV-L1 flow with random parameters, by the fused solver and by the reference."""
    size = [
        data.draw(st.integers(1, 2)),
        data.draw(_mostly(st.sampled_from((1, 3)), st.just(2))),
        *(data.draw(st.integers(1, 24)) for _ in range(2)),
    ]
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**31)))
    dtype = data.draw(st.sampled_from(DTYPES))
    prev, following = (_smooth(size, generator).to(dtype) for _ in range(2))
    parameters = _tvl1_parameters(data)
    found, error = _outcome(lambda: tvl1_flow(prev, following, **parameters))
    expected, reference_error = _outcome(lambda: tvl1_flow(prev, following, **parameters, backend='reference'))
    _compare_errors(error, reference_error)
    if error is None and not found.isfinite().all():
        raise AssertionError('the flow of finite images is not finite')
    # With an epsilon the iterations end early, and where that is, rounding may decide.
    if error is None and dtype == torch.float64 and parameters['epsilon'] == 0:
        _compare(found, expected, dtype)


def _tvl1_parameters(data: st.DataObject) -> dict:
    return dict(
        tau=data.draw(NUMBERS),
        lam=data.draw(NUMBERS),
        theta=data.draw(NUMBERS),
        num_scales=data.draw(_mostly(st.integers(1, 3), COUNTS)),
        scale_factor=data.draw(_mostly(st.floats(0.3, 0.9), NUMBERS)),
        num_warps=data.draw(_mostly(st.integers(1, 2), st.just(0))),
        inner_iters=data.draw(_mostly(st.integers(1, 4), st.just(0))),
        outer_iters=data.draw(_mostly(st.integers(1, 2), st.just(0))),
        epsilon=data.draw(_mostly(st.just(0.0), NUMBERS)),
        median_filter=data.draw(_mostly(st.sampled_from((1, 3, 5)), st.just(4))),
    )


def _smooth(size: list[int], generator: torch.Generator) -> Tensor:
    """Images without steep slopes, in [0, 255]."""
    n, c, height, width = size
    coarse = torch.rand(n, c, 3, 3, generator=generator, dtype=torch.float64) * 255
    return torch.nn.functional.interpolate(coarse, (height, width), mode='bilinear', align_corners=True).clamp(0, 255)


CHECKS: dict[str, Callable] = {
    'rep_flow': check_rep_flow,
    'RepresentationFlow': check_layer,
    'FlowBlock': check_block,
    'tvl1_flow': check_tvl1,
}


def run(emit: Emit, context: Context) -> None:
    """Try each check in turn, a batch of examples at a time."""
    torch.set_num_threads(1)
    seed = seed_of(context)
    for start in range(0, tries_of(context, WANTED) // len(CHECKS), BATCH):
        for kind, check in CHECKS.items():
            if start and context.seconds_left() < 10:
                return
            why = try_batch(check, seed * WANTED + start, BATCH)
            emit(kind=kind, count=BATCH, ok=not why, why=why)


def try_batch(check: Callable[[st.DataObject], None], seed: int, count: int) -> str:
    """Run a check on so many random examples; returns the one that fails, and how, '' if none does."""

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=(hypothesis.Phase.generate,),  # to shrink a failing example may take minutes
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(st.data())
    def run_examples(data: st.DataObject) -> None:
        check(data)

    try:
        run_examples()
    except Exception as error:  # whatever it is, it is what is looked for
        return ' '.join([f'{type(error).__name__}: {error}', *getattr(error, '__notes__', [])])[:1000]
    return ''


def _outcome(call: Callable[[], object]) -> tuple[object, Exception | None]:
    """A call's result, or the error of the house's that it raised."""
    try:
        return call(), None
    except HOUSE as error:
        return None, error


def _compare_errors(error: Exception | None, reference_error: Exception | None) -> None:
    """Raise AssertionError unless both calls have succeeded, or both have failed with an error of the same kind."""
    if type(error) is not type(reference_error):
        raise AssertionError(f'{error!r} where the reference has {reference_error!r}')


def _wide(x: Tensor) -> Tensor:
    return x.double() if x.is_floating_point() else x


def _compare(found: Tensor, expected: Tensor, dtype: torch.dtype, factor: float = 1) -> None:
    """Raise AssertionError unless a result has the reference's shape and its own dtype, and in float64 its values."""
    if found.shape != expected.shape or found.dtype != dtype:
        raise AssertionError(f'{found.dtype} {tuple(found.shape)} where {dtype} {tuple(expected.shape)} is right')
    if dtype != torch.float64 or not expected.isfinite().all():
        return
    largest = expected.abs().max().item() if expected.numel() else 0
    error = (found - expected).abs().max().item() if expected.numel() else 0
    if not error <= factor * TOLERANCE * max(largest, 1):
        raise AssertionError(f'off by {error:.3g} where the largest value is {largest:.3g}')
