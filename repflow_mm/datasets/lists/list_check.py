"""What checks of lists have in common: a run that can be stopped and repeated, a report and a clean list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from repflow_mm.datasets.lists.list_files import ListEntry
from repflow_mm.datasets.lists.list_runs import (
    STATUSES,
    full_path,
    has_changed,
    make_report,
    opened_journal,
    update_journal,
    write_report,
)
from repflow_mm.datasets.lists.worker_pool import Work
from repflow_mm.files import locked, write_text


def check_entries(
    list_file: str | Path,
    entries: Sequence[ListEntry],
    folder: str | Path,
    out: str | Path | None,
    key: str,
    work: Work,
    settings: dict,
    jobs: int,
    timeout: float,
    retry: bool,
    good: Sequence[str],
    statuses: Sequence[str] = STATUSES,
) -> dict:
    """Check every line of a list and write the list of those that are good, the reports and a journal.

    Args:
        list_file (str | Path): The list.
        entries (Sequence[ListEntry]): Its lines.
        folder (str | Path): What their paths are relative to.
        out (str | Path, optional): Folder to write to; None for the list's.
        key (str): What a result belongs to: ``'path'``, an absolute path, or ``'line'``, the text of a line.
        work (Callable): ``work((key, path), alive)`` gives the result of a path or line, a dict.
        settings (dict): What results depend on beside the files; one of other settings is not up to date.
        jobs (int): Number of processes.
        timeout (float): Seconds that one line may take.
        retry (bool): Whether to check again what an earlier run found bad.
        good (Sequence[str]): Statuses of lines that go into the clean list.
        statuses (Sequence[str]): What a status may be. Defaults to that of videos.

    Returns:
        dict: The report of :func:`repflow_mm.datasets.lists.list_runs.make_report`, and ``decoded_now``, the number of
        lines that this run checked.
    """
    stem = Path(list_file).stem
    out = Path(list_file).parent if out is None else Path(out)
    out.mkdir(parents=True, exist_ok=True)
    keys = [full_path(folder, entry) if key == 'path' else entry.line for entry in entries]
    paths = {key: full_path(folder, entry) for key, entry in zip(keys, entries)}
    with locked(out, f'.{stem}.lock'), opened_journal(out / f'{stem}_checked.jsonl', key) as journal:

        def is_current(key: str) -> bool:
            result = journal.results[key]
            is_wanted = result['status'] in good or not retry
            is_same = result['path'] == paths[key] and settings.items() <= result.items()
            return is_wanted and is_same and not has_changed(result, paths[key])

        decoded_now = update_journal(journal, paths, is_current, work, jobs, timeout, settings)
        results = [journal.results[key] for key in keys]
        report = {**make_report(list_file, folder, entries, results, statuses), 'decoded_now': decoded_now}
        write_report(report, out / stem)
        clean = [entry.line for entry, result in zip(entries, results) if result['status'] in good]
        write_text(out / f'{stem}_clean.txt', clean)
    return report
