"""Distributed trainings of which one process fails: the others end in time, and the first error is shown."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from repflow_mm.chaos.failing_rank import FAILURES
from repflow_mm.chaos.kills import CONFIG, prepare
from repflow_mm.chaos.parts import emit_untried, tries_of
from repflow_mm.timed_parts.context import Context, Emit

# What the processes wait for each other, and what the launcher and the start may take beside it.
TIMEOUT_SECONDS, MORE_SECONDS = 30, 90
FAILING = """
custom_imports = dict(imports=['repflow_mm.registration', 'repflow_mm.chaos.failing_rank'])
custom_hooks = [dict(type='InterruptionHook'), dict(type='FailingRankHook', how={how!r})]
env_cfg = dict(dist_cfg=dict(timeout={timeout}))
"""
# What the output must show of a failure that says something.
SHOWN = {'raises': 'this process fails on purpose', 'runs out of memory': "can't allocate memory"}


def run(emit: Emit, context: Context) -> None:
    """Let a process fail in each of the ways, as far as the time goes."""
    config = prepare(context.folder / 'ranks')
    ways = FAILURES[: tries_of(context, len(FAILURES))]
    for number, how in enumerate(ways):
        if context.seconds_left() < TIMEOUT_SECONDS:
            emit_untried(emit, map(_kind, ways[number:]))
            return
        why = failing_run(config, how, min(context.seconds_left() - 1, TIMEOUT_SECONDS + MORE_SECONDS))
        emit(kind=_kind(how), count=1, ok=not why, why=why)


def _kind(how: str) -> str:
    return f'one of two processes {how}'


def failing_run(config: Path, how: str, limit: float) -> str:
    """Train in two processes of which one fails; returns what is wrong with the end, '' if nothing is."""
    file = config.with_name(f'{how.replace(" ", "_")}.py')
    file.write_text(CONFIG + FAILING.format(how=how, timeout=TIMEOUT_SECONDS), encoding='utf-8')
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2', '-m', 'repflow_mm']
    command += ['train', str(file), '--launcher', 'pytorch', '--work-dir', str(file.with_suffix(''))]
    log, start = file.with_suffix('.log'), time.monotonic()
    with log.open('w') as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            return f'still running after {time.monotonic() - start:.0f} s'
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    text = log.read_text(encoding='utf-8', errors='replace')
    if status == 0:
        return 'ended with status 0'
    return '' if SHOWN.get(how, '') in text else f'{SHOWN[how]!r} is not shown, see {log}'
