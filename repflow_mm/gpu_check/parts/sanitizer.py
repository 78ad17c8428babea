"""Part: compute-sanitizer looks for accesses out of bounds and for races in a few small solves."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

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
    start = time.monotonic()
    processes = {tool: _start(program, tool, context) for tool in TOOLS}
    for tool, process in processes.items():
        process.wait()
        text = _log(tool, context).read_text(encoding='utf-8', errors='replace')
        emit(table='sanitizer', tool=tool, seconds=time.monotonic() - start, **outcome(process.returncode, text))


def _start(program: str, tool: str, context: Context) -> subprocess.Popen:
    """Start one of the tools on this module's solves; its output goes to its log."""
    command = [program, '--tool', tool, '--error-exitcode', str(FOUND_SOMETHING), sys.executable, '-m', __name__]
    with open(_log(tool, context), 'w', encoding='utf-8') as output:
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)


def _log(tool: str, context: Context) -> Path:
    return context.folder / f'{tool}.log'


def outcome(status: int, text: str) -> dict:
    """What the tool found; a tool that cannot run at all proves nothing and is no failure."""
    lines = [line.strip('= ').strip() for line in text.splitlines() if line.strip('= ')]
    summary = next((line for line in reversed(lines) if 'SUMMARY' in line), lines[-1] if lines else f'status {status}')
    if status in (0, FOUND_SOMETHING):
        return dict(summary=summary, ok=status == 0)
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
