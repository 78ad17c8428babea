"""Part: compute-sanitizer looks for accesses out of bounds and for races in a few small solves."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence

from repflow_mm.gpu_check.context import Context, Emit
from repflow_mm.gpu_check.tables import Table, yes_or_no

TOOLS = ('memcheck', 'racecheck')
FOUND_SOMETHING = 86
SHAPES = ((1, 1, 2, 7, 5), (1, 1, 2, 9, 10), (1, 4, 2, 2, 2), (1, 2, 2, 3, 9), (1, 2, 3, 28, 28))
NUM_ITERS = 3


def run(emit: Emit, context: Context) -> None:
    """Emit the outcome of each of the tools."""
    if context.rehearsal:
        emit(table='stand-in', solves=_solve_all('cpu', 'cpu'))
        return
    program = shutil.which('compute-sanitizer')
    if program is None:
        emit(table='missing', why='compute-sanitizer is not on PATH')
        return
    for tool in TOOLS:
        command = [program, '--tool', tool, '--error-exitcode', str(FOUND_SOMETHING), sys.executable, '-m', __name__]
        start = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True)
        context.folder.joinpath(f'{tool}.log').write_text(done.stdout + done.stderr)
        emit(table='sanitizer', tool=tool, seconds=time.monotonic() - start, **_outcome(done))


def _outcome(done: subprocess.CompletedProcess) -> dict:
    """What the tool found; a tool that cannot run at all proves nothing and is no failure."""
    lines = [line for line in done.stdout.splitlines() if 'SUMMARY' in line] or done.stderr.splitlines()[-1:]
    summary = lines[-1].strip('= ').strip() if lines else f'status {done.returncode}'
    if done.returncode in (0, FOUND_SOMETHING):
        return dict(summary=summary, ok=done.returncode == 0)
    return dict(summary=f'could not run: {summary}')


def _solve_all(device: str, backend: str) -> int:
    """Solve each of the shapes with gradients; returns how many."""
    from repflow_mm.gpu_check.solver_inputs import draw_inputs, solve_with_gradients

    for shape in SHAPES:
        solve_with_gradients(draw_inputs(shape, device), NUM_ITERS, backend)
    return len(SHAPES)


def tables(records: Sequence[dict]) -> list[Table]:
    """What each tool found."""
    rows = [
        (r['tool'], r['summary'], f'{r["seconds"]:.0f}', yes_or_no(r) if 'ok' in r else 'not checked')
        for r in records
        if r['table'] == 'sanitizer'
    ]
    about = f'compute-sanitizer on {len(SHAPES)} small maps, forward and backward.'
    notes = [(r['why'], '', '', 'not checked') for r in records if r['table'] == 'missing']
    return [Table('Memory and race checks', about, ('tool', 'summary', 's', 'clean'), rows + notes)]


if __name__ == '__main__':
    import torch

    _solve_all('cuda', 'triton')
    torch.cuda.synchronize()
