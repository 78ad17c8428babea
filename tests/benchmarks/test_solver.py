from types import SimpleNamespace

import pytest
import torch

from benchmarks import solver
from benchmarks.solver import Problem
from repflow_mm.ops import rep_flow_ref
from repflow_mm.ops.backends import Backend
from repflow_mm.ops.cpu import operator as cpu
from repflow_mm.testing.parity import Case
from repflow_mm.testing.released import released_rep_flow

needs_compiler = pytest.mark.skipif(bool(cpu.unsupported_reasons(torch.empty(1))), reason='no C compiler')
SMALL = Problem(7, 9, pairs=4, channels=2, num_iters=3)


def test_arguments_have_the_problems_size():
    x, *_ = SMALL.arguments('cpu')
    assert x.shape == (2, 2, 3, 7, 9)  # two clips of three frames are four pairs


@pytest.mark.parametrize('num_iters', [1, 20])
def test_released_sequence_computes_the_reference(num_iters):
    arguments = Problem(9, 8, 4, 3, num_iters).arguments('cpu', torch.float64)
    generator = torch.Generator().manual_seed(2)
    x, theta, lam, tau, image_kernel, *taps = (tensor.detach() for tensor in arguments[:-1])
    image_kernel = image_kernel + 0.1 * torch.randn(image_kernel.shape, generator=generator, dtype=torch.float64)
    taps = [tap + 0.1 * torch.randn(tap.shape, generator=generator, dtype=torch.float64) for tap in taps]
    inputs = (x, theta, lam, tau, image_kernel, *taps, num_iters)
    torch.testing.assert_close(released_rep_flow(*inputs), rep_flow_ref(*inputs), rtol=0, atol=1e-9)


def test_measure_reports_every_row():
    rows = {'released layer': released_rep_flow, 'reference, eager': rep_flow_ref}
    results = solver.measure(rows, SMALL, 'cpu', repeats=2)
    assert [row['name'] for row in results] == list(rows)
    for row in results:
        assert 0 < row['forward']['min'] <= row['forward']['median'] <= row['forward']['max']
        assert row['kept_bytes'] > 3 * 20 * SMALL.pairs * SMALL.channels * 7 * 9 * 4  # tens of planes an iteration
    table = solver.solver_table(results)
    assert '| released layer |' in table and '1.0×' in table


def test_scaling_varies_one_factor_at_a_time():
    base = Problem()
    for problem in solver.scaling_problems():
        changed = [
            name
            for name in ('height', 'pairs', 'channels', 'num_iters')
            if getattr(problem, name) != getattr(base, name)
        ]
        assert len(changed) <= 1


def test_solvers_are_the_baselines_and_the_backends_that_can_run(monkeypatch):
    monkeypatch.setattr(solver, 'CASES', (Case((1, 1, 2, 5, 6), 2),))
    rows = solver.solvers('cpu', with_compile=False)
    assert list(rows)[:2] == ['released layer', 'reference, eager']
    assert 'reference' not in rows


def test_what_is_wrong_is_not_timed(monkeypatch):
    wrong = Backend(unsupported_reasons=lambda x: [], solve=lambda *arguments: rep_flow_ref(*arguments) + 1)
    monkeypatch.setattr(solver, 'BACKENDS', {'broken': wrong})
    with pytest.raises(ValueError, match='u: error'):
        solver.solvers('cpu')


@needs_compiler
def test_arithmetic_alone_is_timed():
    assert solver.cpu_limit(SMALL, repeats=1) > 0


def test_limits_of_a_gpu_are_those_of_its_clocks():
    # 2 * 1 GHz * 1024 bits = 256 GB/s; 10 * 128 lanes * 2 * 1 GHz = 2.56 TFLOP/s
    gpu = SimpleNamespace(
        memory_clock_rate=10**6, memory_bus_width=1024, clock_rate=10**6, multi_processor_count=10, major=9, minor=0
    )
    text = solver.gpu_limits(Problem(10, 10, pairs=2, channels=4, num_iters=100), gpu)
    # 2 pairs * 4 channels * 100 pixels: 4 * 4 bytes each, and 69 operations each and iteration
    assert '0.0000 ms of memory traffic at 256 GB/s' in text and '0.0022 ms of arithmetic at 2.6 TFLOP/s' in text


def test_limits_of_a_gpu_whose_clocks_are_not_told():
    text = solver.gpu_limits(Problem(), SimpleNamespace(multi_processor_count=10))
    assert text == f'limits of the forward pass: unknown, torch {torch.__version__} does not tell the clocks'


def test_table_of_a_gpu_tells_the_kernels_from_the_whole_call():
    def row(name, scale):
        times = {key: dict(min=8e-3 * scale) for key in ('forward', 'forward_backward')}
        kernels = dict(forward_kernels=4e-3 * scale**2, forward_backward_kernels=6e-3 * scale**2)
        return dict(name=name, kept_bytes=0, **times, **kernels)

    table = solver.solver_table([row('released layer', 1) | dict(kept_bytes=10), row('triton', 0.1)])
    baseline, fast = table.splitlines()[2:]
    assert baseline == '| released layer | 8.0 | 1.0× | 4.0 | 1.0× | 8.0 | 1.0× | 6.0 | 1.0× | 0.0 | 1e+02 % |'
    assert fast == '| triton | 0.8000 | 10.0× | 0.0400 | 100.0× | 0.8000 | 10.0× | 0.0600 | 100.0× | 0.0 | 0 % |'
