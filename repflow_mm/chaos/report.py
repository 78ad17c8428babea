"""The table of figures, and its place in the documentation."""

from __future__ import annotations

import json
from pathlib import Path

from repflow_mm.chaos.parts import PARTS
from repflow_mm.files import write_text
from repflow_mm.gpu_check.runner import DONE
from repflow_mm.markdown import markdown_table, replace_section

SECTION = 'chaos'


def rows_of(outcomes: list[dict]) -> list[tuple[str, str, int, int, str]]:
    """A row for each kind of each part: part, what was tried, how often, how often it went as wanted, what did not."""
    titles, rows = {part.name: part.title for part in PARTS}, []
    for outcome in outcomes:
        kinds: dict[str, list[dict]] = {}
        for record in outcome['records']:
            kinds.setdefault(record['kind'], []).append(record)
        for kind, records in kinds.items():
            tried = sum(record['count'] for record in records)
            wrong = [record for record in records if not record['ok']]
            first = wrong[0]['why'] if wrong else ''
            rows.append((titles[outcome['name']], kind, tried, tried - len(wrong), first))
        if outcome['status'] != DONE:
            rows.append((titles[outcome['name']], f'{outcome["status"]}: {outcome["reason"]}', 0, 0, ''))
    return rows


def is_as_wanted(outcomes: list[dict]) -> bool:
    """Whether every part came to its end and everything went as wanted."""
    ended = all(outcome['status'] == DONE for outcome in outcomes)
    return ended and all(record['ok'] for outcome in outcomes for record in outcome['records'])


def table(outcomes: list[dict]) -> str:
    """The rows in Markdown."""
    header = ('part', 'what was tried', 'times', 'as wanted', 'the first that was not')
    rows = [tuple(str(cell).replace('|', '\\|').replace('\n', ' ') for cell in row) for row in rows_of(outcomes)]
    return markdown_table(header, rows)


def write_docs(report: dict, docs: Path) -> None:
    """Put the table of a report between the markers of a Markdown file.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the markers are not there.
    """
    if not docs.is_file():
        raise FileNotFoundError(f'{docs} does not exist')
    versions = ', '.join(f'{name} {version}' for name, version in report['versions'].items())
    lines = [f'`{report["command"]}`, {report["started"]}; {versions}.', '', *table(report['parts']).split('\n')]
    write_text(docs, replace_section(docs.read_text(encoding='utf-8'), SECTION, lines, docs).splitlines())


def write_report(report: dict, folder: Path) -> None:
    """Write ``report.json`` and, for reading, ``report.md``."""
    write_text(folder / 'report.json', [json.dumps(report, indent=2)])
    write_text(folder / 'report.md', [f'`{report["command"]}`', '', *table(report['parts']).split('\n')])
