"""The parts of the chaos, and what they have in common.

A part is a module with ``run(emit, context)``, see :mod:`repflow_mm.timed_parts`. Each record has ``kind`` (what
was tried), ``ok``, ``count`` (how many tries it stands for) and, where something went wrong, ``why``. A part begins
with one try of each kind; what there is no time for is a record of no tries.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

from repflow_mm.timed_parts.context import Context, Emit
from repflow_mm.timed_parts.part import Part

_HERE = 'repflow_mm.chaos'
# The least that is kept for a part is for one try of each kind; fifty kills take longer than all that is beyond it.
PARTS = (
    Part('hostile_files', 'Hostile files', f'{_HERE}.hostile_files', 60, least=140),
    Part('arguments', 'Random arguments', f'{_HERE}.arguments', 100, least=10, needs=('hypothesis',)),
    Part('videos', 'Damaged and odd videos', f'{_HERE}.videos', 60, least=10),
    Part('ranks', 'Failing ranks', f'{_HERE}.ranks', 40, least=180),
    Part('half_precision', 'Half precision', f'{_HERE}.half_precision', 80, least=270),
    Part('kills', 'Killed trainings', f'{_HERE}.kills', 250, least=90),
)
SETTINGS = 'settings.json'


def write_settings(folder: Path, seed: int, most: int | None = None) -> None:
    """Leave the seed, and how much each part may try at most, where the parts' processes find it."""
    (folder / SETTINGS).write_text(json.dumps(dict(seed=seed, most=most)), encoding='utf-8')


def seed_of(context: Context) -> int:
    """The seed of the run that a part belongs to."""
    return _settings(context)['seed']


def tries_of(context: Context, wanted: int) -> int:
    """How much a part is to try, of as much as is wanted."""
    most = _settings(context)['most']
    return wanted if most is None else min(wanted, most)


def _settings(context: Context) -> dict:
    return json.loads((context.folder / SETTINGS).read_text(encoding='utf-8'))


def emit_untried(emit: Emit, kinds: Iterable[str]) -> None:
    """Say of what there was no time for."""
    for kind in dict.fromkeys(kinds):
        emit(kind=kind, count=0, ok=False, why='there was no time for all')


def run_in_child(function: Callable[[], object], log: Path, seconds: float, kill_after: tuple | None = None) -> int:
    """Run a function in a copy of this process, which spares a program's start; returns its exit status.

    Args:
        function (Callable): What to run; an uncaught exception is status 1.
        log (Path): File that its output is appended to.
        seconds (float): After so long the child is killed, and that is an error.
        kill_after (tuple, optional): A signal and the seconds after which the child gets it. Defaults to None.

    Returns:
        int: The status; of a child that a signal ended, minus its number.

    Raises:
        TimeoutError: If the child took too long.
    """
    process = os.fork()
    if process == 0:
        _be_child(function, log)
    start = time.monotonic()
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        passed = time.monotonic() - start
        if kill_after is not None and passed >= kill_after[1]:
            os.kill(process, kill_after[0])
            kill_after = None
        if passed > seconds:
            os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)
            raise TimeoutError(f'did not end within {seconds:.0f} s')
        time.sleep(0.005)


def _be_child(function: Callable[[], object], log: Path) -> None:
    """Run a function with its output in a file and leave, without the parent's exit handlers."""
    status = 1
    with contextlib.suppress(BaseException):
        os.setsid()
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for descriptor in (1, 2):
            os.dup2(output, descriptor)
        try:
            function()
            status = 0
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else int(error.code is not None)
            os.write(2, f'{error}\n'.encode())
        except KeyboardInterrupt:
            status = 128 + signal.SIGINT
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)
