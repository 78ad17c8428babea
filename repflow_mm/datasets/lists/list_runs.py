"""Work on all videos of a list that can be stopped and repeated: a journal of results, and a report."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TextIO

from repflow_mm.datasets.lists.list_files import ListEntry
from repflow_mm.datasets.lists.worker_pool import Work, run_all
from repflow_mm.datasets.video_reading import GOOD_STATUSES
from repflow_mm.files import write_json, write_text
from repflow_mm.ops.arguments import check_count
from repflow_mm.progress import progress_bar

# What a video's result may be; a run's own come behind them.
STATUSES = (*GOOD_STATUSES, 'missing', 'unreadable', 'empty', 'corrupt', 'unsupported', 'timeout', 'crash')
# Lines that say how many frames there are may also say too many.
FRAME_STATUSES = (*STATUSES, 'short')


class Journal:
    """The latest result of each video, and the file that every new result is appended to.

    Attributes:
        results: A dict for each key: ``status``, ``message``, ``frames``, ``path`` (the video, absolute), ``size``
            and ``mtime_ns`` (the video's when it was worked on; None if it was not there), and the key itself.
    """

    def __init__(self, file: TextIO, key: str, results: dict[str, dict]) -> None:
        self.file, self.key, self.results = file, key, results

    def add(self, result: dict) -> None:
        """Keep a result, in the file too."""
        self.results[result[self.key]] = result
        self.file.write(json.dumps(result) + '\n')
        self.file.flush()


@contextmanager
def opened_journal(path: Path, key: str = 'path') -> Iterator[Journal]:
    """The journal in a file of JSON lines, which is made if it does not exist.

    Args:
        path (Path): The file.
        key (str): What a result is found by. Defaults to its ``'path'``.

    Raises:
        ValueError: If the file has other lines.
    """
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
                results[result[key]] = result
            except (ValueError, TypeError, KeyError):
                raise ValueError(f'{path} is no journal of this run: {line[:80]!r}; move it away') from None
        file.truncate(end)
    with open(path, 'a', encoding='utf-8') as file:
        yield Journal(file, key, results)


def full_path(videos: str | Path, entry: ListEntry) -> str:
    """The absolute path of an entry's video."""
    return os.path.abspath(os.path.join(videos, entry.path))


def has_changed(result: dict, path: str) -> bool:
    """Whether a video has another size or time of change than when it was worked on."""
    return _state(path) != (result.get('size'), result.get('mtime_ns'))


def update_journal(
    journal: Journal,
    paths: Mapping[str, str],
    is_current: Callable[[str], bool],
    work: Work,
    jobs: int,
    timeout: float,
    settings: Mapping | None = None,
) -> int:
    """Work on the videos whose results are not up to date, with a progress bar, and keep the results.

    Args:
        journal (Journal): The results so far; brought up to date.
        paths (Mapping[str, str]): The absolute path of each video under its key.
        is_current (Callable): Whether the result that the journal has under a key is up to date.
        work (Callable): ``work((key, path), alive)``, see :func:`repflow_mm.datasets.lists.worker_pool.run_all`.
        jobs (int): Number of processes.
        timeout (float): Seconds, see :func:`repflow_mm.datasets.lists.worker_pool.run_all`.
        settings (Mapping, optional): What is kept with each result besides. Defaults to None, nothing.

    Returns:
        int: How many videos were worked on.
    """
    items = [(key, path) for key, path in paths.items() if key not in journal.results or not is_current(key)]
    states = {key: _state(path) for key, path in items}
    progress = progress_bar(total=len(paths), initial=len(paths) - len(items), unit='video')
    with progress, closing(run_all(work, items, min(jobs, max(len(items), 1)), timeout)) as done:
        for (key, path), result in done:
            size, mtime_ns = states[key]
            state = dict(size=size, mtime_ns=mtime_ns, frames=0)
            journal.add({'path': path, journal.key: key} | state | dict(settings or {}) | result)
            progress.update()
    return len(items)


def _state(path: str) -> tuple[int | None, int | None]:
    """Size and time of the last change; None for a file that is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return None, None
    return status.st_size, status.st_mtime_ns


def make_report(
    list_file: str | Path,
    videos: str | Path,
    entries: Sequence[ListEntry],
    results: Sequence[dict],
    statuses: Sequence[str] = STATUSES,
) -> dict:
    """What became of the videos of a list.

    Args:
        list_file (str | Path): The list.
        videos (str | Path): Folder that its paths are relative to.
        entries (Sequence[ListEntry]): Its lines.
        results (Sequence[dict]): The result of each.
        statuses (Sequence[str]): What a result's status may be. Defaults to :data:`STATUSES`.

    Returns:
        dict: ``list``, ``videos``, ``lines``, ``counts`` (of each status), ``frames`` (fewest and most of a good
        video; None if there is none) and ``bad``, a list of ``line``, ``path``, ``status`` and ``message``.
    """
    counts = Counter(result['status'] for result in results)
    frames = [result['frames'] for result in results if result['status'] in GOOD_STATUSES]
    return dict(
        list=str(list_file),
        videos=str(videos),
        lines=len(entries),
        counts={status: counts[status] for status in statuses},
        frames=[min(frames), max(frames)] if frames else None,
        bad=[
            dict(line=entry.number, path=entry.path, status=result['status'], message=result['message'])
            for entry, result in zip(entries, results)
            if result['status'] not in GOOD_STATUSES
        ],
    )


def write_report(report: dict, stem: Path) -> None:
    """Write a report as ``<stem>_report.json`` and, for reading, ``<stem>_report.txt``."""
    write_json(stem.with_name(f'{stem.name}_report.json'), report)
    write_text(stem.with_name(f'{stem.name}_report.txt'), summary_lines(report))


def summary_lines(report: dict) -> list[str]:
    """A report for reading: the counts, then each bad video."""
    counts = ', '.join(f'{count} {status}' for status, count in report['counts'].items())
    lines = [f'{report["list"]}: {report["lines"]} lines: {counts}']
    if report['frames']:
        lines.append(f'whole videos have {report["frames"][0]} to {report["frames"][1]} frames')
    bad = (f'line {video["line"]}: {video["path"]}: {video["status"]}: {video["message"]}' for video in report['bad'])
    return [*lines, *bad]


def check_run(videos: str | Path, jobs: int | None, timeout: float) -> int:
    """Check what every run is given; returns the number of processes, for None that of usable cores."""
    jobs = len(os.sched_getaffinity(0)) if jobs is None else jobs
    check_count('jobs', jobs)
    if not timeout > 0:
        raise ValueError(f'timeout must be > 0 seconds, got {timeout}')
    if not Path(videos).is_dir():
        raise FileNotFoundError(f'folder of videos {videos} does not exist')
    return jobs
