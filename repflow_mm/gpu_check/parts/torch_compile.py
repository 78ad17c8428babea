"""Part: ``torch.compile``, of the reference, to compare with, and of a network with the solver in it."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from repflow_mm.gpu_check.parts import MMACTION
from repflow_mm.gpu_check.solver_inputs import Problem, draw_inputs
from repflow_mm.gpu_check.tables import Table, milliseconds
from repflow_mm.gpu_check.timing import call_seconds
from repflow_mm.ops import rep_flow_ref
from repflow_mm.testing.timing import synchronise
from repflow_mm.timed_parts.context import Context, Emit, emit_outcome
from repflow_mm.timed_parts.runner import missing_modules

PROBLEM, TINY_PROBLEM = Problem(28, 2, 15), Problem(6, 1, 2, num_iters=2, channels=2)
REPEATS = 5


def run(emit: Emit, context: Context) -> None:
    """Emit a record for each thing that is compiled, the quickest to compile first."""
    # Inductor needs a compiler for GPUs, or for C++; a rehearsal traces alone.
    compiler = functools.partial(torch.compile, backend='eager') if context.rehearsal else torch.compile
    problem = TINY_PROBLEM if context.rehearsal else PROBLEM
    reference = functools.partial(_solve_reference, compiler(rep_flow_ref), problem, context.device)
    _emit_times(emit, context, f'reference, {problem.size}×{problem.size}, forward', lambda: reference(False))
    try:
        calls = _network_calls(compiler, context)
    except ImportError as error:  # of MMAction2, or of what it imports
        calls = {}
        emit(table='compiled', name='RepFlow network', why=f'{type(error).__name__}: {error}'.splitlines()[0])
    for name, call in calls.items():
        _emit_times(emit, context, name, call)
    if not context.rehearsal:
        name = f'reference, {problem.size}×{problem.size}, forward + backward'
        _emit_times(emit, context, name, lambda: reference(True))


def _solve_reference(solver: Callable[..., Tensor], problem: Problem, device: str, with_gradients: bool) -> None:
    inputs = _inputs(problem, device)
    with torch.set_grad_enabled(with_gradients):
        u = solver(**inputs, num_iters=problem.num_iters)
    if with_gradients:
        torch.autograd.grad(u, list(inputs.values()), torch.ones_like(u))


@functools.cache
def _inputs(problem: Problem, device: str) -> dict[str, Tensor]:
    return draw_inputs(problem.shape, device)


def _network_calls(compiler: Callable, context: Context) -> dict[str, Callable]:
    """The training step of the RepFlow network in bfloat16, uncompiled and compiled; none without MMAction2."""
    if missing_modules(MMACTION):
        return {}
    from repflow_mm.gpu_check.network_cases import BF16, R34, REPFLOW, TINY, Trial, build_network

    # A deeper network compiles for longer than there is time.
    setting = TINY if context.rehearsal else R34
    trial = Trial(build_network(REPFLOW, setting), setting, BF16, context.device)
    compiled = Trial(trial.network, setting, BF16, context.device)
    compiled.network = compiler(trial.network)
    title = f'RepFlow {setting.name}, bf16, step'
    return {f'{title}, not compiled': trial.step, title: compiled.step}


def _emit_times(emit: Emit, context: Context, name: str, call: Callable[[], object]) -> None:
    """Emit how long the first call takes, which compiles, and the others."""

    def measure() -> dict:
        start = time.perf_counter()
        call()
        synchronise(context.device)
        first = time.perf_counter() - start
        return dict(first_seconds=first, call_seconds=call_seconds([call], repeats, context.device))

    repeats = 1 if context.rehearsal else REPEATS
    emit_outcome(emit, measure, table='compiled', name=name)


def tables(records: Sequence[dict]) -> list[Table]:
    """Each compiled call, with how long the first one took."""
    rows = [_row(record) for record in records if record['table'] == 'compiled']
    about = f'The reference with {PROBLEM.clips} × {PROBLEM.pairs} pairs, 32 channels and 20 iterations; medians.'
    return [Table('torch.compile', about, ('what', 'first call, s', 'later calls, ms'), rows)]


def _row(record: dict) -> tuple[str, str, str]:
    if 'call_seconds' not in record:
        return record['name'], record['why'], '–'
    return record['name'], f'{record["first_seconds"]:.1f}', milliseconds(record['call_seconds'])
