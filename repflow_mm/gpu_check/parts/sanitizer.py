"""Part: compute-sanitizer looks for accesses out of bounds and for races in a few small solves."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from repflow_mm.gpu_check.tables import Table, yes_or_no
from repflow_mm.timed_parts.context import Context, Emit

# Each tool with its flags: calls of CUDA that are refused are torch's and the driver's business.
TOOLS = {'memcheck': ('--report-api-errors', 'no'), 'racecheck': ()}
PROGRAM = 'compute-sanitizer'
# Where CUDA's toolkit has it, if that is not on PATH.
FOLDERS = ('/usr/local/cuda/bin', '/usr/local/cuda-*/bin', '/opt/cuda/bin')
FOUND_SOMETHING = 86
SHAPES = ((1, 1, 2, 7, 5), (1, 1, 2, 9, 10), (1, 4, 2, 2, 2), (1, 2, 2, 3, 9), (1, 2, 3, 28, 28))
NUM_ITERS = 3


def run(emit: Emit, context: Context) -> None:
    """Emit the outcome of each of the tools."""
    if context.rehearsal:
        emit(table='stand-in', solves=_solve_all('cpu', 'cpu'))
        return
    program = find_program()
    if program is None:
        emit(table='missing', why=f'{PROGRAM} is neither on PATH nor in {", ".join(FOLDERS)}')
        return
    start = time.monotonic()
    processes = {tool: _start(program, tool, context) for tool in TOOLS}
    for tool, process in processes.items():
        process.wait()
        text = _log(tool, context).read_text(encoding='utf-8', errors='replace')
        emit(table='sanitizer', tool=tool, seconds=time.monotonic() - start, **outcome(process.returncode, text))


def find_program() -> str | None:
    """compute-sanitizer on PATH, or in a folder of CUDA's toolkit; None if there is none."""
    folders = [folder for pattern in FOLDERS for folder in sorted(glob.glob(pattern))]
    return shutil.which(PROGRAM) or shutil.which(PROGRAM, path=os.pathsep.join(folders))


def _start(program: str, tool: str, context: Context) -> subprocess.Popen:
    """Start one of the tools on this module's solves; its output goes to its log."""
    flags = ['--tool', tool, *TOOLS[tool], '--error-exitcode', str(FOUND_SOMETHING)]
    # Each tensor an allocation of its own: in torch's blocks, what is out of one tensor's bounds is within another's.
    environment = {**os.environ, 'PYTORCH_NO_CUDA_MEMORY_CACHING': '1'}
    with open(_log(tool, context), 'w', encoding='utf-8') as output:
        command = [program, *flags, sys.executable, '-m', __name__]
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)


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
