"""Part: compile the kernels that the other parts launch, on all cores at a time, and say how long each takes."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import NamedTuple

import torch

from repflow_mm.gpu_check.tables import Table
from repflow_mm.testing.triton_launches import absent_device, replaced_launches
from repflow_mm.timed_parts.context import Context, Emit, emit_outcome

SIZES = (112, 56, 28, 14, 7)
TRAINING_SIZE = 16  # of the demo's maps
# Networks with channels last have the solver's 32 channels between neighbouring columns, a stride with a kernel.
CHANNELS_LAST, CHANNELS_LAST_SIZES = 32, (28, 14)
TILE_CONSTANTS = ('ROWS', 'PHASES', 'STRIPS', 'LANES', 'HALO')
FORWARD, BACKWARD = 'forward', 'backward'


class Solve(NamedTuple):
    """A pass over one pair of maps, ``stride`` elements from one column to the next.

    What is compiled does not depend on how many there are.
    """

    height: int
    width: int
    num_iters: int
    tile: tuple[int, ...] | None
    direction: str
    stride: int = 1

    def launch(self, device: str) -> None:
        """Call the launchers of this pass on zeros."""
        from repflow_mm.ops.triton.backward import triton_backward
        from repflow_mm.ops.triton.forward import triton_forward
        from repflow_mm.ops.triton.tile_choice import Tile

        x = torch.zeros(1, 2, self.height, self.width, self.stride, device=device)
        x = x[..., :1].movedim(-1, 1)  # (N, T, H, W, 1) -> (N, 1, T, H, W)
        terms = [x.new_ones(()) for _ in range(3)]
        terms += [x.new_zeros(shape) for shape in ((2, 1, 3, 3), (2, 1, 2), (2, 1, 2))]
        tile = self.tile and Tile(*self.tile)
        if self.direction == FORWARD:
            triton_forward(x, *terms, self.num_iters, tile)
        else:
            triton_backward(x.new_zeros(1, 2, 1, self.height, self.width), x, *terms, self.num_iters, tile)


class Job(NamedTuple):
    """The launch with this number among the different ones of a pass, on a device."""

    solve: Solve
    number: int
    device: str

    def describe(self) -> dict:
        """The job as a record has it."""
        layout = ', channels last' if self.solve.stride > 1 else ''
        size = f'{self.solve.height}×{self.solve.width}{layout}'
        return dict(size=size, direction=self.solve.direction, number=self.number)


def run(emit: Emit, context: Context) -> None:
    """Emit a record for each kernel as soon as it is compiled."""
    jobs = list_jobs(_solves(context), context.device)
    start = time.monotonic()
    processes = min(len(jobs), len(os.sched_getaffinity(0)))
    with ProcessPoolExecutor(processes, mp_context=get_context('spawn')) as pool:
        futures = {pool.submit(compile_job, job): job for job in jobs}
        for future in as_completed(futures):
            emit_outcome(emit, future.result, table='kernels', **futures[future].describe())
    emit(table='total', kernels=len(jobs), processes=processes, seconds=time.monotonic() - start)


def _solves(context: Context) -> list[Solve]:
    """Both passes of all maps that other parts solve, the slowest to compile first."""
    if context.rehearsal:
        return [Solve(3, 3, 2, None, FORWARD)]
    from repflow_mm.testing.solver_cases import CASES, LARGE_CASES

    solves = [Solve(size, size, 20, None, FORWARD) for size in (*SIZES, TRAINING_SIZE)]
    for case in LARGE_CASES + CASES:
        solves.append(Solve(*case.shape[3:], case.num_iters, case.tile and tuple(case.tile), FORWARD))
    solves += [Solve(size, size, 20, None, FORWARD, CHANNELS_LAST) for size in CHANNELS_LAST_SIZES]
    return [solve._replace(direction=direction) for direction in (BACKWARD, FORWARD) for solve in dict.fromkeys(solves)]


def list_jobs(solves: Sequence[Solve], device: str) -> list[Job]:
    """A job for each kernel that these passes launch, each kernel once."""
    jobs = {}
    for solve in solves:
        for number, key in enumerate(_distinct_launches(solve)):
            jobs.setdefault(key, Job(solve, number, device))
    return list(jobs.values())


def _distinct_launches(solve: Solve) -> list[tuple]:
    """Keys of the different launches of a pass, in their order; nothing is compiled or run."""
    keys = {}
    with replaced_launches(lambda kernel, grid, arguments, compile_it: keys.setdefault(launch_key(kernel, arguments))):
        solve.launch('cpu')
    return list(keys)


def launch_key(kernel, arguments: dict) -> tuple:
    """What Triton compiles a kernel anew for: its name, its constants, which tensors there are."""
    unspecialised = set(getattr(kernel, 'do_not_specialize', ()))
    values = {name: value for name, value in arguments.items() if name not in unspecialised}
    return (kernel.fn.__name__, *sorted((name, str(getattr(v, 'dtype', v))) for name, v in values.items()))


def cache_keys() -> list[str]:
    """What Triton's cache on disk knows the kernels by; a call before any launch makes these the solver's.

    NOTE: Triton hashes a function together with the constants of those of its callees alone that have been hashed
    before. What is compiled in a process whose first launch is one of the backward pass has another key than in a
    solve, which hashes the forward pass's kernel first.
    """
    from repflow_mm.ops.triton.backward import rep_flow_bwd_kernel
    from repflow_mm.ops.triton.forward import rep_flow_fwd_kernel
    from repflow_mm.ops.triton.frames import frame_bwd_kernel

    return [kernel.cache_key for kernel in (rep_flow_fwd_kernel, rep_flow_bwd_kernel, frame_bwd_kernel)]


def compile_job(job: Job) -> dict:
    """Compile one launch of a pass, without running any of them.

    Returns:
        dict: ``kernel``, ``tile``, ``seconds``, and where the device tells, ``registers`` and
        ``spilled`` values a thread.
    """
    cache_keys()
    seen, record = {}, {}

    def compile_one(kernel, grid, arguments: dict, compile_it: Callable[[], object]) -> None:
        key = launch_key(kernel, arguments)
        if key in seen or seen.setdefault(key, len(seen)) != job.number:
            return
        start = time.perf_counter()
        compiled = compile_it()
        record.update(kernel=kernel.fn.__name__, seconds=time.perf_counter() - start, **_registers(compiled))
        record['tile'] = [arguments[name] for name in TILE_CONSTANTS if name in arguments]

    with contextlib.nullcontext() if job.device == 'cuda' else absent_device(), replaced_launches(compile_one):
        job.solve.launch(job.device)
    return record


def _registers(compiled) -> dict[str, int]:
    """Registers and spilled values a thread, known once the code is on a device."""
    if not torch.cuda.is_available() or not hasattr(compiled, '_init_handles'):
        return {}
    compiled._init_handles()
    return dict(registers=compiled.n_regs, spilled=compiled.n_spills)


def tables(records: Sequence[dict]) -> list[Table]:
    """How long each kernel took to compile, the slowest first."""
    kernels = [r for r in records if r['table'] == 'kernels']
    rows = [_row(record) for record in sorted(kernels, key=lambda record: -record.get('seconds', 0))]
    header = ('map', 'pass', 'kernel', 'tile', 's', 'registers', 'spilled')
    about = 'Seconds of one core for each kernel, registers and spilled values a thread; several compile at a time.'
    totals = [(r['kernels'], r['processes'], f'{r["seconds"]:.0f}') for r in records if r['table'] == 'total']
    return [
        Table('Compile times', about, header, rows),
        Table('All kernels', 'Together, on an empty cache.', ('kernels', 'processes', 's'), totals),
    ]


def _row(record: dict) -> tuple:
    if 'seconds' not in record:
        return (record['size'], record['direction'], record['why'], *('–',) * 4)
    tile = '×'.join(map(str, record['tile'])) or '–'
    registers = (record.get(name, '–') for name in ('registers', 'spilled'))
    return (record['size'], record['direction'], record['kernel'], tile, f'{record["seconds"]:.1f}', *registers)
