"""Check of the videos of a list by decoding them."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from repflow_mm.datasets.decode_pool import decode_all
from repflow_mm.datasets.list_files import ListEntry, read_list
from repflow_mm.files import locked, write_text

STATUSES = ('ok', 'missing', 'empty', 'corrupt', 'timeout', 'crash')


def check_videos(
    list_file: str | Path,
    videos: str | Path = '',
    out: str | Path | None = None,
    jobs: int | None = None,
    timeout: float = 120.0,
    retry: bool = False,
) -> dict:
    """Decode every video of a list and write the list of those that are whole; the videos are only read.

    Writes, for ``<name>.txt``, ``<name>_clean.txt`` (the lines of the videos that decode, in their order),
    ``<name>_report.json`` and ``<name>_report.txt`` (what is wrong with the others), once all are checked. Each
    result is appended to ``<name>_checked.jsonl`` as it comes, so that a run that was stopped goes on where it was;
    a video whose size or time of change is another than in that journal is checked again.

    Args:
        list_file (str | Path): The list, lines ``path label``.
        videos (str | Path): Folder that the paths are relative to. Defaults to the working folder.
        out (str | Path, optional): Folder to write to. Defaults to the list's.
        jobs (int, optional): Number of processes. Defaults to the number of usable cores.
        timeout (float): Seconds that one video may take. Defaults to 120.
        retry (bool): Check again what an earlier run found bad. Defaults to False.

    Returns:
        dict: The report: ``list``, ``videos``, ``lines``, ``counts`` (of each status), ``decoded_now``, ``frames``
        (fewest and most of a whole video) and ``bad``, a list of ``line``, ``path``, ``status`` and ``message``.

    Raises:
        FileNotFoundError: If the list or the folder does not exist.
        ValueError: If a line is malformed, or ``jobs`` or ``timeout`` is not allowed.
        OSError: If a file cannot be written or another run is checking the same list.
    """
    jobs = len(os.sched_getaffinity(0)) if jobs is None else jobs
    if jobs < 1:
        raise ValueError(f'jobs must be >= 1, got {jobs}')
    if not timeout > 0:
        raise ValueError(f'timeout must be > 0 seconds, got {timeout}')
    entries = read_list(list_file)
    if not Path(videos).is_dir():
        raise FileNotFoundError(f'folder of videos {videos} does not exist')
    stem = Path(list_file).stem
    out = Path(list_file).parent if out is None else Path(out)
    out.mkdir(parents=True, exist_ok=True)
    with locked(out, f'.{stem}.lock'), _opened_journal(out / f'{stem}_checked.jsonl') as (journal, results):
        decoded_now = _check_all(_full_paths(videos, entries), results, journal, jobs, timeout, retry)
        report = _report(list_file, videos, entries, results, decoded_now)
        whole = [entry.line for entry in entries if results[_full_path(videos, entry)]['status'] == 'ok']
        write_text(out / f'{stem}_report.json', json.dumps(report, indent=2).splitlines())
        write_text(out / f'{stem}_report.txt', summary_lines(report))
        write_text(out / f'{stem}_clean.txt', whole)
    return report


def summary_lines(report: dict) -> list[str]:
    """A report for reading: the counts, then each bad video."""
    counts = ', '.join(f'{report["counts"][status]} {status}' for status in STATUSES)
    lines = [f'{report["list"]}: {report["lines"]} lines: {counts}']
    if report['frames']:
        lines.append(f'whole videos have {report["frames"][0]} to {report["frames"][1]} frames')
    bad = (f'line {video["line"]}: {video["path"]}: {video["status"]}: {video["message"]}' for video in report['bad'])
    return [*lines, *bad]


def _full_path(videos: str | Path, entry: ListEntry) -> str:
    return os.path.abspath(os.path.join(videos, entry.path))


def _full_paths(videos: str | Path, entries: Sequence[ListEntry]) -> list[str]:
    """Each video once, in the order of the list."""
    return list(dict.fromkeys(_full_path(videos, entry) for entry in entries))


@contextmanager
def _opened_journal(path: Path) -> Iterator[tuple[TextIO, dict[str, dict]]]:
    """The journal, ready to be appended to, and the latest result of each video in it."""
    results = {}
    with open(path, 'a+b') as file:
        file.seek(0)
        end = 0
        for line in file:
            # A run that was killed while it wrote leaves half a line at the end.
            if not line.endswith(b'\n'):
                break
            end += len(line)
            try:
                result = json.loads(line)
                results[result['path']] = result
            except (ValueError, TypeError, KeyError):
                raise ValueError(f'{path} is no journal of this check: {line[:80]!r}; move it away') from None
        file.truncate(end)
    with open(path, 'a', encoding='utf-8') as file:
        yield file, results


def _check_all(
    paths: Sequence[str], results: dict[str, dict], journal: TextIO, jobs: int, timeout: float, retry: bool
) -> int:
    """Bring ``results`` up to date for every path; returns how many videos were checked for that."""
    stale = []
    for path in paths:
        known = results.get(path)
        if known is None or _state(path) != _state_in(known) or (retry and known['status'] != 'ok'):
            stale.append(path)
    states = {path: _state(path) for path in stale}
    # To a log file, a line now and then instead of a moving bar.
    interval = 0.1 if sys.stderr.isatty() else 30
    progress = tqdm(total=len(paths), initial=len(paths) - len(stale), unit='video', mininterval=interval)
    with progress:
        for path, result in decode_all(stale, min(jobs, max(len(stale), 1)), timeout):
            size, mtime_ns = states[path]
            results[path] = dict(path=path, size=size, mtime_ns=mtime_ns, frames=0) | result
            journal.write(json.dumps(results[path]) + '\n')
            journal.flush()
            progress.update()
    return len(stale)


def _state(path: str) -> tuple[int | None, int | None]:
    """Size and time of the last change; None for a file that is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return None, None
    return status.st_size, status.st_mtime_ns


def _state_in(result: dict) -> tuple[int | None, int | None]:
    return result.get('size'), result.get('mtime_ns')


def _report(
    list_file: str | Path,
    videos: str | Path,
    entries: Sequence[ListEntry],
    results: dict[str, dict],
    decoded_now: int,
) -> dict:
    of_entries = [results[_full_path(videos, entry)] for entry in entries]
    counts = Counter(result['status'] for result in of_entries)
    frames = [result['frames'] for result in of_entries if result['status'] == 'ok']
    return dict(
        list=str(list_file),
        videos=str(videos),
        lines=len(entries),
        counts={status: counts[status] for status in STATUSES},
        decoded_now=decoded_now,
        frames=[min(frames), max(frames)] if frames else None,
        bad=[
            dict(line=entry.number, path=entry.path, status=result['status'], message=result['message'])
            for entry, result in zip(entries, of_entries)
            if result['status'] != 'ok'
        ],
    )
