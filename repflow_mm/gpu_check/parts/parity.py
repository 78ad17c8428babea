"""Part: every Triton case against the float64 reference, and the same bits every time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import partial

from repflow_mm.gpu_check.solver_inputs import draw_inputs, same_bits, solve_with_gradients
from repflow_mm.gpu_check.tables import Table, yes_or_no
from repflow_mm.timed_parts.context import Context, Emit, emit_outcome
from repflow_mm.timed_parts.own_process import call_in_processes

TIMES = 10
REPEATED = ((2, 32, 5, 28, 28), (1, 4, 3, 56, 56), (1, 2, 3, 112, 112))
REHEARSED_CASES = slice(3, 5)  # the interpreter takes longer for the others
REHEARSED_TIMES = 2


def run(emit: Emit, context: Context) -> None:
    """Emit a record for the output and each gradient of each case, one of compiled kernels, and the repeated solves."""
    # Triton, which must know by then whether it is to interpret, is imported with it.
    from repflow_mm.testing.solver_cases import CASES, LARGE_CASES

    cases, draws = (CASES[REHEARSED_CASES], 1) if context.rehearsal else (LARGE_CASES[::-1] + CASES, None)
    processes = min(len(cases), len(os.sched_getaffinity(0)))  # the reference needs the cores
    compare, known = partial(compare_case, device=context.device, draws=draws), _count_kernels(context)
    for case, result in call_in_processes(compare, cases, processes):
        _emit_case(emit, case, result)
    emit(table='compiled anew', kernels=_count_kernels(context) - known)
    for shape in ((1, 1, 2, 3, 3),) if context.rehearsal else REPEATED:
        emit_outcome(emit, partial(_repeat, shape, context), table='repeated', shape=shape)


def _count_kernels(context: Context) -> int:
    """How many kernels the parts have compiled so far."""
    return len(list(context.folder.glob('triton_cache/*/*.cubin')))


def compare_case(case, device: str, draws: int | None = None) -> list[dict]:
    """The comparisons of one case, of the output and of every gradient, with the seconds that they all took."""
    from repflow_mm.testing.solver_cases import compare

    start = time.monotonic()
    found = compare(case, device, draws=draws)
    seconds = round(time.monotonic() - start, 2)
    return [dict(name=c.name, error=c.error, bound=c.bound, seconds=seconds, ok=c.error <= c.bound) for c in found]


def _emit_case(emit: Emit, case, compare: Callable[[], list[dict]]) -> None:
    """Emit the comparisons of a case, or the error that it ended with."""
    try:
        found = compare()
    except Exception as error:  # whatever it is, it is this case's failure
        found = [dict(name=f'{type(error).__name__}: {error}'.splitlines()[0], ok=False)]
    for comparison in found:
        emit(table='parity', case=str(case), **comparison)


def _repeat(shape: tuple[int, ...], context: Context) -> dict:
    """Whether u and all gradients have the same bits each time that the same inputs are solved."""
    times, num_iters = (REHEARSED_TIMES, 2) if context.rehearsal else (TIMES, 20)
    inputs = draw_inputs(shape, context.device)
    first = solve_with_gradients(inputs, num_iters, 'triton')
    again = (solve_with_gradients(inputs, num_iters, 'triton') for _ in range(times - 1))
    return dict(times=times, ok=all(same_bits(first, found) for found in again))


def tables(records: Sequence[dict]) -> list[Table]:
    """Each output and gradient with its error and bound, and the repeated solves."""
    parity = [r for r in records if r['table'] == 'parity']
    rows = [(r['case'], r['name'], *_figures(r), yes_or_no(r)) for r in parity]
    about = (
        'Largest error against the reference in float64, and what is allowed: twice the error of the eager reference '
        'in float32, and rounding.'
    )
    for record in records:
        if record['table'] == 'compiled anew':
            about += f' Kernels that had to be compiled for it: {record["kernels"]}.'
    repeated = [
        ('×'.join(map(str, r['shape'])), r.get('times', r.get('why')), yes_or_no(r))
        for r in records
        if r['table'] == 'repeated'
    ]
    return [
        Table('Parity with the reference', about, ('case', 'value', 'error', 'allowed', 'holds'), rows),
        Table('The same bits every time', 'u and all gradients.', ('shape of x', 'solves', 'same'), repeated),
    ]


def _figures(record: dict) -> tuple[str, str]:
    return tuple(f'{record[key]:.3g}' if key in record else '–' for key in ('error', 'bound'))
