"""The report of a check, as JSON and as Markdown, and its last line."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from repflow_mm.files import write_json, write_text
from repflow_mm.gpu_check.environment import missing_packages, versions
from repflow_mm.gpu_check.parts import PARTS
from repflow_mm.gpu_check.tables import Table
from repflow_mm.timed_parts.runner import CUT_OFF, DONE, FAILED, LEFT_OUT

BY_NAME = {part.name: part for part in PARTS}


def new_report(command: str, rehearsal: bool) -> dict:
    """A report without results: the command, when it was started, versions, what is missing."""
    return dict(
        command=command,
        rehearsal=rehearsal,
        started=time.strftime('%Y-%m-%d %H:%M:%S %z'),
        finished=False,
        versions=versions(),
        missing=missing_packages(),
        parts=[],
    )


def finish(report: dict) -> None:
    """Mark a report as complete, and put its verdict in."""
    report['finished'] = True
    report['works'], report['verdict'] = verdict(report)


def verdict(report: dict) -> tuple[bool, str]:
    """Whether everything that was checked works, and the report's last line, with the reasons if it does not."""
    reasons = [reason for outcome in report['parts'] for reason in _reasons(outcome)]
    prefix = 'rehearsal without a GPU: ' if report['rehearsal'] else ''
    if not report['finished']:
        reasons.append('the check has not come to its end')
    if reasons:
        return False, f'{prefix}does not, because {"; ".join(reasons)}'
    return True, f'{prefix}works'


def _reasons(outcome: dict) -> list[str]:
    """Why a part says that something does not work."""
    name, status, records = outcome['name'], outcome['status'], outcome['records']
    must_finish = BY_NAME[name].must_finish if name in BY_NAME else True
    reasons = [f'{name}: {_describe(record)}' for record in records if record.get('ok') is False]
    if status == FAILED or (must_finish and status in (CUT_OFF, LEFT_OUT)):
        reasons.append(f'{name} {status}: {outcome["reason"]}')
    if must_finish and status == DONE and not any('ok' in record for record in records):
        reasons.append(f'{name} checked nothing')
    return reasons


def _describe(record: dict) -> str:
    """A failed record in a few words: all that it holds but times and lists of repeats."""
    left_out = ('table', 'ok', 'seconds')
    values = (value for key, value in record.items() if key not in left_out and not isinstance(value, list))
    return ', '.join(f'{value:.3g}' if isinstance(value, float) else str(value) for value in values)


def write_report(report: dict, folder: Path) -> None:
    """Write ``report.json`` and ``report.md`` into a folder, each whole or not at all."""
    write_json(folder / 'report.json', report)
    write_text(folder / 'report.md', markdown(report))


def markdown(report: dict) -> list[str]:
    """The lines of the Markdown report."""
    lines = ['# GPU check', '']
    if report['rehearsal']:
        lines += ['A rehearsal without a GPU, on tiny shapes: its times mean nothing.', '']
    lines += [f'`{report["command"]}`, started {report["started"]}', '', _list(report['versions'])]
    if report['missing']:
        lines += ['', *(f'- missing: {name} ({why})' for name, why in report['missing'].items())]
    for outcome in report['parts']:
        lines += ['', *part_section(outcome)]
    return [*lines, '', verdict(report)[1]]


def part_section(outcome: dict) -> list[str]:
    """A part's heading, how it ended, and its tables."""
    part = BY_NAME.get(outcome['name'])
    lines = [f'## {part.title if part else outcome["name"]}', '']
    ended = f'{outcome["status"]} after {outcome["seconds"]:.0f} s of {outcome["limit"]:.0f} s'
    lines += [f'{ended}: {outcome["reason"]}' if outcome['reason'] else ended]
    tables: Sequence[Table] = part.load().tables(outcome['records']) if part else ()
    for table in tables:
        lines += ['', *table.markdown('###')]
    return lines


def _list(values: dict[str, str]) -> str:
    return ', '.join(f'{name} {value}' for name, value in values.items())
