"""Runs the parts one after another, each in a process of its own with a time limit.

While a part runs, the process of the one after it imports what it needs: seconds in which a GPU would wait.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import repflow_mm
from repflow_mm.timed_parts.context import Context, read_records
from repflow_mm.timed_parts.part import Part
from repflow_mm.timed_parts.part_process import CANNOT_IMPORT, command_line

POLL_SECONDS = 0.2
WAITING, RUNNING, DONE, FAILED, CUT_OFF, LEFT_OUT = 'waiting', 'running', 'done', 'failed', 'cut off', 'left out'


def run_parts(
    parts: Sequence[Part], folder: Path, seconds: float, rehearsal: bool, update: Callable[[list[dict]], None]
) -> list[dict]:
    """Run parts in their order.

    Args:
        parts (Sequence[Part]): The parts.
        folder (Path): Where records, logs and other files of the parts lie; it exists and holds none of them.
        seconds (float): Time for all parts together. What a part does not use goes to those after it.
        rehearsal (bool): Whether the parts are to run without a GPU.
        update (Callable): Called with the outcomes whenever there is news.

    Returns:
        list[dict]: The outcome of each part: ``name``, ``status``, ``reason`` (why it was left out, cut off or
        failed), ``limit`` and ``seconds`` of its run, ``records``.
    """
    end = time.monotonic() + seconds
    outcomes = [dict(name=part.name, status=WAITING, reason='', limit=0.0, seconds=0.0, records=[]) for part in parts]
    present = [part for part in parts if not missing_modules(part.needs)]
    with _started_ahead(present, folder, rehearsal) as processes:
        for index, part in enumerate(parts):
            outcome = outcomes[index]
            outcome['limit'] = time_limit(parts[index:], end - time.monotonic())
            if part in present:
                outcome['status'] = RUNNING
                update(outcomes)
                context = Context(folder, outcome['limit'], rehearsal)
                _run_part(next(processes), part, context, outcome, lambda: update(outcomes))
            else:
                missing = ', '.join(missing_modules(part.needs))
                outcome.update(status=LEFT_OUT, reason=f'needs {missing}, which cannot be imported')
            update(outcomes)
    return outcomes


def new_folder(out: Path) -> Path:
    """The folder for the files of parts in that of a report: there, and with nothing in it of an earlier run."""
    folder = out / 'parts'
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def time_limit(parts: Sequence[Part], seconds_left: float) -> float:
    """The limit of the first of the parts that are still to run: the least it needs, and its share of what is left."""
    seconds_left, kept = max(0.0, seconds_left), sum(part.least for part in parts)
    if seconds_left < kept:
        return seconds_left * parts[0].least / kept
    return parts[0].least + (seconds_left - kept) * parts[0].seconds / sum(part.seconds for part in parts)


def missing_modules(names: Sequence[str]) -> list[str]:
    """Those of the modules that are not installed."""
    return [name for name in names if importlib.util.find_spec(name) is None]


@contextlib.contextmanager
def _started_ahead(parts: Sequence[Part], folder: Path, rehearsal: bool) -> Iterator[Iterator[subprocess.Popen]]:
    """The processes of parts, one after another: each is started when the one before it is taken."""
    started = []

    def processes() -> Iterator[subprocess.Popen]:
        for index in range(len(parts)):
            started.extend(_start(part, folder, rehearsal) for part in parts[len(started) : index + 2])
            yield started[index]

    try:
        yield processes()
    finally:
        for process in started:
            if process.returncode is None:  # the number of one that has ended may be another's by now
                _end_group(process)


def _start(part: Part, folder: Path, rehearsal: bool) -> subprocess.Popen:
    """Start the process of a part, which waits to be told its time limit."""
    with open(_log(part, folder), 'w', encoding='utf-8') as output:
        return subprocess.Popen(
            command_line(part.module, _records(part, folder), folder, rehearsal),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(part, folder, rehearsal),
            start_new_session=True,
        )


def _run_part(
    process: subprocess.Popen, part: Part, context: Context, outcome: dict, update: Callable[[], None]
) -> None:
    """Run one part; ``outcome`` is kept up to date."""
    records = _records(part, context.folder)
    with contextlib.suppress(BrokenPipeError):  # it has ended already, by an error of its import
        os.write(process.stdin.fileno(), f'{context.seconds}\n'.encode())
    try:
        _watch(process, records, context, outcome, update)
    finally:
        _end_group(process)
    outcome.update(seconds=round(context.seconds - context.seconds_left(), 2), records=read_records(records))
    if outcome['status'] == RUNNING:
        outcome['status'] = {0: DONE, CANNOT_IMPORT: LEFT_OUT}.get(process.returncode, FAILED)
        log = _log(part, context.folder)
        outcome['reason'] = last_line(log, process.returncode) if process.returncode else ''


def _records(part: Part, folder: Path) -> Path:
    return folder / f'{part.name}.jsonl'


def _log(part: Part, folder: Path) -> Path:
    return folder / f'{part.name}.log'


def _watch(process: subprocess.Popen, records: Path, context: Context, outcome: dict, update: Callable) -> None:
    """Wait for the end of the process or of its time; hand on records as they come in."""
    while process.poll() is None:
        if context.seconds_left() <= 0:
            outcome.update(status=CUT_OFF, reason=f'took longer than its limit of {context.seconds:.0f} s')
            return
        time.sleep(POLL_SECONDS)
        found = read_records(records)
        if len(found) > len(outcome['records']):
            outcome.update(records=found, seconds=round(context.seconds - context.seconds_left(), 2))
            update()


def _end_group(process: subprocess.Popen) -> None:
    """Kill what is left of the part's process and of those that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdin.close()


def _environment(part: Part, folder: Path, rehearsal: bool) -> dict[str, str]:
    """The part's environment: this package importable, kernels compiled into the run's own cache."""
    environment = {name: value for name, value in os.environ.items() if name != 'TRITON_INTERPRET'}
    package = str(Path(repflow_mm.__file__).resolve().parents[1])
    environment['PYTHONPATH'] = os.pathsep.join([package, *filter(None, [os.environ.get('PYTHONPATH')])])
    environment['TRITON_CACHE_DIR'] = str(folder / 'triton_cache')
    if rehearsal:
        # Torch's threads, on tiny tensors, are only in each other's way.
        environment.update(CUDA_VISIBLE_DEVICES='', OMP_NUM_THREADS='1')
        if part.interpreted:
            environment['TRITON_INTERPRET'] = '1'
    return environment


def last_line(log: Path, status: int) -> str:
    """What a failed process said last, or the signal or status that it ended with."""
    lines = [line.strip() for line in log.read_text(encoding='utf-8', errors='replace').splitlines() if line.strip()]
    if status == CANNOT_IMPORT and lines:
        return lines[-1]
    ended = f'ended by signal {-status}' if status < 0 else f'ended with status {status}'
    return f'{ended}: {lines[-1]}' if lines else ended
