"""The fused CPU solver against the reference, and what surrounds it: threads, NaN, strides, scratch, refusals."""

import ctypes
import functools
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from repflow_mm.ops import rep_flow, rep_flow_ref, tvl1_flow
from repflow_mm.ops.backends import choose_backend
from repflow_mm.ops.cpu import build, launch
from repflow_mm.ops.cpu import operator as cpu
from repflow_mm.testing.parity import CASES, Case, check_parity, draw, evaluate, threads
from repflow_mm.testing.warps import draw_pair

pytestmark = pytest.mark.skipif(bool(cpu.unsupported_reasons(torch.empty(1))), reason='no C compiler')


@pytest.mark.parametrize('case', CASES, ids=str)
def test_float32_parity(case):
    check_parity(functools.partial(rep_flow, backend='cpu'), case)


@pytest.mark.parametrize('case', CASES, ids=str)
def test_float64_is_close_to_exact(case):
    inputs, grad_u = draw(case, seed=0)
    inputs = [tensor.double() for tensor in inputs]
    expected = evaluate(rep_flow_ref, inputs, grad_u, case.num_iters)
    actual = evaluate(rep_flow, inputs, grad_u, case.num_iters, backend='cpu')
    for name, value in expected.items():
        torch.testing.assert_close(actual[name], value, rtol=0, atol=1e-11 * (value.abs().max().item() + 1e-3))


def test_checkpointed_history_gives_the_same_gradients():
    # 50 float64 states of 160 x 200 pixels take 80 MB, more than the history may: the states are recomputed in parts.
    case = Case((1, 1, 2, 160, 200), 50)
    inputs, grad_u = draw(case, seed=0)
    inputs = [tensor.double() for tensor in inputs]
    expected = evaluate(rep_flow_ref, inputs, grad_u, case.num_iters)
    actual = evaluate(rep_flow, inputs, grad_u, case.num_iters, backend='cpu')
    for name, value in expected.items():
        torch.testing.assert_close(actual[name], value, rtol=0, atol=1e-10 * value.abs().max().item())


@pytest.mark.parametrize('shape', [(2, 2, 3, 7, 5), (1, 2, 3, 16, 16), (1, 1, 2, 2, 2)])
def test_every_element_is_written(shape, monkeypatch):
    empty = torch.empty

    def poisoned(*args, **kwargs):
        return empty(*args, **kwargs).fill_(float('nan'))

    inputs, grad_u = draw(Case(shape), seed=0)
    with monkeypatch.context() as patch:
        patch.setattr(torch, 'empty', poisoned)
        values = evaluate(rep_flow, inputs, grad_u, 3, backend='cpu')
    assert all(value.isfinite().all() for value in values.values())


def test_same_bits_under_any_thread_count():
    inputs, grad_u = draw(Case((2, 8, 4, 28, 28)), seed=0)
    results = []
    for count in (1, 2, 3):
        with threads(count):
            results.append(evaluate(rep_flow, inputs, grad_u, 10, backend='cpu'))
    for name, value in results[0].items():
        assert all(torch.equal(value, other[name]) for other in results[1:]), name


@pytest.mark.parametrize('width', [5, 14, 16])
def test_nan_stays_in_its_plane(width):
    inputs, grad_u = draw(Case((1, 3, 4, 9, width)), seed=0)
    clean = evaluate(rep_flow, inputs, grad_u, 20, backend='cpu')
    inputs[0][0, 1, 0, 4, 2] = float('nan')
    dirty = evaluate(rep_flow, inputs, grad_u, 20, backend='cpu')
    hit_u = torch.zeros_like(clean['u'], dtype=torch.bool)
    hit_u[0, [1, 4], 0] = True  # both components of channel 1, pair 0
    hit_x = torch.zeros_like(clean['x'], dtype=torch.bool)
    hit_x[0, 1, :2] = True  # the two frames of that pair
    for name, hit in (('u', hit_u), ('x', hit_x)):
        assert torch.equal(dirty[name][~hit], clean[name][~hit]), name
        assert dirty[name][hit].isnan().any(), name
    assert dirty['u'][0, [1, 4], 0, 4, 2].isnan().all()
    assert torch.equal(dirty['flow_kernel'][:, [0, 2]], clean['flow_kernel'][:, [0, 2]])
    assert dirty['theta'].isnan()


def test_nan_spreads_as_in_the_reference():
    x = torch.rand(1, 1, 2, 9, 11) * 255
    x[0, 0, 1, 4, 5] = float('nan')
    for num_iters in (1, 3):
        expected = rep_flow_ref(x, 0.3, 0.15, 0.25, num_iters=num_iters).isnan()
        assert torch.equal(rep_flow(x, 0.3, 0.15, 0.25, num_iters=num_iters, backend='cpu').isnan(), expected)


@pytest.mark.parametrize('backend', ['cpu', 'reference'])
@pytest.mark.parametrize('name, num_iters', [('theta', 1), ('lam', 1), ('theta', 6), ('lam', 6), ('tau', 6)])
def test_nan_in_a_scalar_gives_nan_everywhere(name, num_iters, backend):
    x = torch.rand(1, 2, 3, 7, 9, requires_grad=True)
    scalars = dict(theta=0.3, lam=0.15, tau=0.25) | {name: float('nan')}
    u = rep_flow(x, **scalars, num_iters=num_iters, backend=backend)
    u.sum().backward()
    assert u.isnan().all()
    assert x.grad[:, :, 1:].isnan().any(dim=(3, 4)).all()


@pytest.mark.parametrize('terms', [dict(lam=-0.15), dict(lam=0.0), dict(theta=-0.3)], ids=str)
def test_limits_that_are_none_have_the_gradients_of_the_reference(terms):
    """A lower limit of the step that is not below the upper one: lam may be anything, and theta as a tensor."""
    torch.manual_seed(0)
    inputs = [torch.rand(1, 2, 3, 7, 9, dtype=torch.float64) * 255]
    inputs += [torch.tensor(value) for value in (dict(theta=0.3, lam=0.15, tau=0.25) | terms).values()]
    inputs = [tensor.double().requires_grad_() for tensor in inputs]
    grad_u = torch.randn(1, 4, 2, 7, 9, dtype=torch.float64)
    found, expected = (
        torch.autograd.grad(rep_flow(*inputs, num_iters=3, backend=backend), inputs, grad_u)
        for backend in ('cpu', 'reference')
    )
    for one, other in zip(found, expected):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def _folded(x):
    n, c, t, h, w = x.shape
    return x.transpose(1, 2).reshape(n * t, c, h, w).reshape(n, t, c, h, w).transpose(1, 2)


@pytest.mark.parametrize(
    'view',
    [
        _folded,
        lambda x: x.to(memory_format=torch.channels_last_3d),
        lambda x: torch.cat((x, x), dim=-1)[..., : x.shape[-1]],
        lambda x: torch.stack((x, x), dim=2)[:, :, 0],
        lambda x: x.flip(3).flip(3),
    ],
    ids=['frames folded into the batch', 'channels last', 'cropped', 'sliced', 'flipped'],
)
def test_noncontiguous_input(view):
    inputs, grad_u = draw(Case((2, 3, 4, 7, 9)), seed=0)
    expected = evaluate(rep_flow, inputs, grad_u, 5, backend='cpu')
    x, *rest = inputs
    viewed = view(x).requires_grad_()
    u = rep_flow(viewed, *rest, num_iters=5, backend='cpu')
    assert torch.equal(u, expected['u'])
    (grad_x,) = torch.autograd.grad(u, viewed, view(grad_u))
    assert torch.equal(grad_x, expected['x'])


def test_expanded_gradient_and_transposed_kernels():
    inputs, grad_u = draw(Case((2, 3, 3, 7, 9), learned=True), seed=0)
    x, theta, lam, tau, *kernels = inputs
    expected = evaluate(rep_flow, inputs, torch.ones_like(grad_u), 5, backend='cpu')
    strided = [taps.transpose(0, 1).contiguous().transpose(0, 1) for taps in kernels]
    x = x.clone().requires_grad_()
    rep_flow(x, theta, lam, tau, *strided, num_iters=5, backend='cpu').sum().backward()
    assert torch.equal(x.grad, expected['x'])


def test_runs_in_a_forked_process():
    code = (
        'import os, torch\n'
        'from repflow_mm.ops import rep_flow\n'
        'x = torch.rand(2, 16, 4, 28, 28)\n'
        'torch.set_num_threads(2)\n'
        'def solve():\n'  # bytes, because torch itself would wait for its parent's threads to compare tensors
        '    return rep_flow(x, 0.3, 0.15, 0.25, num_iters=20, backend="cpu").numpy().tobytes()\n'
        'u = solve()\n'
        'pid = os.fork()\n'
        'if pid == 0:\n'
        '    os._exit(0 if solve() == u else 1)\n'
        'raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n'
    )
    subprocess.run([sys.executable, '-c', code], check=True, timeout=60)


@pytest.mark.skipif(platform.machine() != 'x86_64', reason='these are names of x86-64 processors')
@pytest.mark.parametrize('architecture', ['x86-64', 'x86-64-v3'])
def test_parity_with_narrower_vectors(architecture, tmp_path, monkeypatch):
    if architecture == 'x86-64-v3' and ' avx2 ' not in Path('/proc/cpuinfo').read_text():
        pytest.skip('this processor has no AVX2')
    monkeypatch.setattr(build, 'NATIVE_FLAGS', ((f'-march={architecture}',),))
    monkeypatch.setenv('REPFLOW_MM_CACHE', str(tmp_path))
    # Not launch.load itself, whose cache has this processor's own library for the tests that follow.
    monkeypatch.setattr(launch, 'load', functools.cache(launch.load.__wrapped__))
    for case in CASES[:3]:
        check_parity(functools.partial(rep_flow, backend='cpu'), case)
    previous, following = (image[None].double() for image in draw_pair('shear', 40, seed=0)[:2])
    options = dict(num_warps=2, num_scales=2)
    u, expected = (tvl1_flow(previous, following, backend=name, **options) for name in ('cpu', 'reference'))
    assert torch.allclose(u, expected, rtol=0, atol=1e-8)
    assert [path.name for path in tmp_path.glob('*.so')] == [build.library_name(build.find_compilers()[0])]


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), 'GOMP_parallel'), reason="no OpenMP runtime of torch's is in sight")
def test_runs_on_torchs_own_threads():
    code = (
        'import os, torch\n'
        'from repflow_mm.ops import rep_flow\n'
        'def ticks():\n'
        '    files = ((name, f"/proc/self/task/{name}/stat") for name in os.listdir("/proc/self/task"))\n'
        '    return {name: int(open(file).read().rpartition(")")[2].split()[11]) for name, file in files}\n'
        'torch.set_num_threads(2)\n'
        'x = torch.rand(2, 32, 16, 56, 56)\n'
        'with torch.no_grad():\n'
        '    (x + x).sum()\n'
        '    rep_flow(x, 0.3, 0.15, 0.25, num_iters=1, backend="cpu")\n'
        '    before = ticks()\n'
        '    for _ in range(4):\n'
        '        rep_flow(x, 0.3, 0.15, 0.25, num_iters=100, backend="cpu")\n'
        'busy = [name for name, count in ticks().items() if count - before.get(name, 0) >= 10]\n'
        'assert len(busy) == 2 and set(busy) <= set(before), (busy, before)\n'
    )
    subprocess.run([sys.executable, '-c', code], check=True, timeout=120)


def test_explicit_backend_says_why_it_cannot_run():
    x = torch.empty(1, 2, 3, 4, 5, dtype=torch.float64, device='meta')
    message = (
        r"backend='cpu' cannot run\n  x: shape=\(1, 2, 3, 4, 5\) float64 meta\n"
        r'  - device is meta \(supported: cpu\)$'
    )
    with pytest.raises(NotImplementedError, match=message):
        choose_backend(x, 'cpu')
    reasons = cpu.unsupported_reasons(torch.empty(1, dtype=torch.float16))
    assert reasons == ['dtype is float16 (supported: float32, float64)']


def test_operator_refuses_mixed_dtypes():
    inputs, _ = draw(Case((1, 2, 2, 4, 4)), seed=0)
    inputs[1] = inputs[1].double()
    with pytest.raises(TypeError, match=r'all float32 or all float64, got torch.float64 on cpu with x torch.float32'):
        torch.ops.repflow_mm.rep_flow_cpu(*inputs, 5)
