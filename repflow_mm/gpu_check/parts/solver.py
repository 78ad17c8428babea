"""Part: kernel and call times of the solver beside its limits, and beside the released operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from repflow_mm.gpu_check.parts.device import flops_per_second, l2_bytes
from repflow_mm.gpu_check.solver_inputs import Problem, draw_inputs, solve, solve_with_gradients
from repflow_mm.gpu_check.tables import Table, milliseconds, ratio
from repflow_mm.gpu_check.timing import call_seconds, graph_seconds
from repflow_mm.ops.limits import arithmetic_limit, memory_limit
from repflow_mm.testing.released import released_rep_flow
from repflow_mm.testing.timing import kernel_seconds
from repflow_mm.timed_parts.context import Context, Emit, emit_outcome

# The batch of a GPU in training: 8 clips of 32 frames.
TRAINING = (
    *(Problem(size, clips=8, pairs=31) for size in (28, 56, 112, 14, 7)),
    *(Problem(28, clips=8, pairs=31, num_iters=num_iters) for num_iters in (5, 10, 50)),
)
# As many pairs as the released operations have memory for.
COMPARED = (Problem(28, 2, 15), Problem(56, 2, 4), Problem(112, 1, 2), Problem(14, 2, 15), Problem(7, 2, 15))
TINY = (Problem(6, clips=1, pairs=2, num_iters=2, channels=2),)
PASSES = {'forward': solve, 'forward + backward': solve_with_gradients}
REPEATS = 7
RELEASED_REPEATS = 3
MAX_SETS = 32


def run(emit: Emit, context: Context) -> None:
    """Emit the copy's bandwidth, then a record for each problem and pass."""
    bandwidth = measure_bandwidth(context)
    emit(table='copy', bytes_per_second=bandwidth)
    for problem in TINY if context.rehearsal else TRAINING:
        for name in PASSES:
            shape = dict(direction=name, **problem.describe(), **_limits(problem, name, bandwidth, context))
            emit_outcome(emit, partial(_measure, problem, name, context), table='training shape', **shape)
    for problem in TINY if context.rehearsal else COMPARED:
        for name in PASSES:
            shape = dict(direction=name, **problem.describe())
            emit_outcome(emit, partial(_compare, problem, name, context), table='released', **shape)


def measure_bandwidth(context: Context) -> float:
    """Bytes a second that a copy reads and writes, the best of several."""
    source = torch.zeros(2**28 if context.device == 'cuda' else 2**16, device=context.device)
    target = torch.zeros_like(source)
    return 2 * source.nbytes / min(call_seconds([lambda: target.copy_(source)] * 3, REPEATS, context.device))


def _limits(problem: Problem, name: str, bandwidth: float, context: Context) -> dict[str, float]:
    """The two limits of a forward solve in seconds; the backward pass has no count of its own."""
    if name != 'forward':
        return {}
    limits = dict(memory_limit=memory_limit(problem.shape, bandwidth))
    flops = flops_per_second() if context.device == 'cuda' else None
    if flops:
        limits['arithmetic_limit'] = arithmetic_limit(problem.shape, problem.num_iters, flops)
    return limits


def _measure(problem: Problem, name: str, context: Context) -> dict:
    """Seconds of a call, and of its kernels alone; several inputs in turn, together larger than the L2 cache."""
    sets = [draw_inputs(problem.shape, context.device, seed) for seed in range(number_of_sets(problem, context))]
    calls = [partial(PASSES[name], inputs, problem.num_iters, context.backend) for inputs in sets]
    record = dict(input_sets=len(sets), call_seconds=call_seconds(calls, REPEATS, context.device))
    if context.device == 'cuda':
        record.update(_kernel_seconds(calls))
        torch.cuda.empty_cache()
    return record


def _compare(problem: Problem, name: str, context: Context) -> dict:
    """The same, and seconds of the released operations."""
    return _measure(problem, name, context) | dict(released_seconds=_measure_released(problem, name, context))


def number_of_sets(problem: Problem, context: Context) -> int:
    """How many inputs, with what is made of them, fill the L2 cache twice; at least 2."""
    if context.device != 'cuda':
        return 2
    bytes_of_set = 12 * problem.clips * problem.channels * problem.pairs * problem.size**2  # x and both parts of u
    return max(2, min(MAX_SETS, -(-2 * l2_bytes() // bytes_of_set)))


def _kernel_seconds(calls: Sequence[Callable]) -> dict:
    """From replays of a CUDA graph; if the calls cannot be captured, from the profiler."""
    try:
        return dict(kernel_seconds=graph_seconds(calls, REPEATS), kernels_by='CUDA graph')
    except RuntimeError as error:
        seconds = [kernel_seconds(calls[0], 'cuda') for _ in range(3)]
        return dict(kernel_seconds=seconds, kernels_by='profiler', why=f'{error}'.splitlines()[0])


def _measure_released(problem: Problem, name: str, context: Context) -> list[float] | None:
    """Seconds of the released operations on the same problem; None if the memory does not suffice."""
    inputs = draw_inputs(problem.shape, context.device)
    call = partial(_run_released, name, inputs, problem.num_iters)
    try:
        return call_seconds([call], RELEASED_REPEATS, context.device)
    except torch.OutOfMemoryError:
        return None


def _run_released(name: str, inputs: dict[str, Tensor], num_iters: int) -> None:
    with torch.set_grad_enabled(name != 'forward'):
        u = released_rep_flow(**inputs, num_iters=num_iters)
    if name != 'forward':
        torch.autograd.grad(u, list(inputs.values()), torch.ones_like(u))


def tables(records: Sequence[dict]) -> list[Table]:
    """Times at the training shape beside the limits, and beside the released operations."""
    copies = [r['bytes_per_second'] for r in records if r['table'] == 'copy']
    bandwidth = f' at the {copies[0] / 1e9:.0f} GB/s of a copy' if copies else ''
    about = (
        'Medians, 32 channels. The kernels alone in a CUDA graph, and calls of the public function one after another. '
        f'The limits of a forward solve: its memory traffic{bandwidth}, and its arithmetic at the highest clock.'
    )
    header = ('map', 'clips × pairs', 'iterations', 'pass', 'kernels, ms', 'call, ms', 'memory, ms', 'arithmetic, ms',
              'kernels over the larger limit')  # fmt: skip
    training = [_training_row(r) for r in records if r['table'] == 'training shape']
    compared = [_compared_row(r) for r in records if r['table'] == 'released']
    compared_header = ('map', 'clips × pairs', 'pass', 'kernels, ms', 'call, ms', 'released operations, ms', 'faster')
    return [
        Table('Solver at the shape of training', about, header, training),
        Table(
            'Solver beside the released operations', 'Medians, 32 channels, 20 iterations; calls are compared.',
            compared_header, compared,
        ),
    ]  # fmt: skip


def _shape_cells(record: dict) -> tuple[str, str]:
    why = f' ({record["why"]})' if 'why' in record and 'call_seconds' not in record else ''
    return f'{record["size"]}×{record["size"]}', f'{record["clips"]} × {record["pairs"]}{why}'


def _training_row(record: dict) -> tuple:
    limits = [record.get('memory_limit'), record.get('arithmetic_limit')]
    known = [limit for limit in limits if limit]
    cells = [milliseconds([limit] if limit else None) for limit in limits]
    kernels = record.get('kernel_seconds')
    over = ratio(kernels, [max(known)] if known else None)
    times = milliseconds(kernels), milliseconds(record.get('call_seconds'))
    return (*_shape_cells(record), record['num_iters'], record['direction'], *times, *cells, over)


def _compared_row(record: dict) -> tuple:
    calls, released = record.get('call_seconds'), record.get('released_seconds')
    times = (milliseconds(seconds) for seconds in (record.get('kernel_seconds'), calls, released))
    return (*_shape_cells(record), record['direction'], *times, ratio(released, calls))
