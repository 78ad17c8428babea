"""Part: every Triton case against the float64 reference, and the same bits every time."""

from __future__ import annotations

from collections.abc import Sequence

from repflow_mm.gpu_check.context import Context, Emit
from repflow_mm.gpu_check.solver_inputs import draw_inputs, same_bits, solve_with_gradients
from repflow_mm.gpu_check.tables import Table, yes_or_no

TIMES = 10
REPEATED = ((2, 32, 5, 28, 28), (1, 4, 3, 56, 56), (1, 2, 3, 112, 112))
REHEARSED_CASES = 2


def run(emit: Emit, context: Context) -> None:
    """Emit a record for the output and each gradient of each case, then for each repeated solve."""
    # Triton, which must know by then whether it is to interpret, is imported with it.
    from repflow_mm.testing.solver_cases import CASES, LARGE_CASES, compare

    options = dict(draws=1, eager_draws=4) if context.rehearsal else {}
    for case in CASES[:REHEARSED_CASES] if context.rehearsal else CASES + LARGE_CASES:
        try:
            for name, error, bound in compare(case, context.device, **options):
                emit(table='parity', case=str(case), name=name, error=error, bound=bound, ok=error <= bound)
        except (ValueError, RuntimeError) as error:
            emit(table='parity', case=str(case), name=f'{type(error).__name__}: {error}', ok=False)
    for shape in ((1, 1, 2, 5, 6),) if context.rehearsal else REPEATED:
        emit(table='repeated', shape=list(shape), times=TIMES, ok=_is_repeatable(shape, context))


def _is_repeatable(shape: tuple[int, ...], context: Context) -> bool:
    """Whether u and all gradients have the same bits in ten solves of the same inputs."""
    num_iters = 2 if context.rehearsal else 20
    inputs = draw_inputs(shape, context.device)
    first = solve_with_gradients(inputs, num_iters, 'triton')
    return all(same_bits(first, solve_with_gradients(inputs, num_iters, 'triton')) for _ in range(TIMES - 1))


def tables(records: Sequence[dict]) -> list[Table]:
    """Each output and gradient with its error and bound, and the repeated solves."""
    parity = [r for r in records if r['table'] == 'parity']
    rows = [(r['case'], r['name'], *_figures(r), yes_or_no(r)) for r in parity]
    about = (
        'Largest error against the reference in float64, and what is allowed: twice the error of the eager reference '
        'in float32, and rounding.'
    )
    repeated = [('×'.join(map(str, r['shape'])), r['times'], yes_or_no(r)) for r in records if r['table'] == 'repeated']
    return [
        Table('Parity with the reference', about, ('case', 'value', 'error', 'allowed', 'holds'), rows),
        Table('The same bits every time', 'u and all gradients.', ('shape of x', 'solves', 'same'), repeated),
    ]


def _figures(record: dict) -> tuple[str, str]:
    return tuple(f'{record[key]:.3g}' if key in record else '–' for key in ('error', 'bound'))
