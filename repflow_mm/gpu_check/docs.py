"""Puts the figures of a report into the documentation."""

from __future__ import annotations

import json
from pathlib import Path

from repflow_mm.gpu_check.parts import PARTS
from repflow_mm.markdown import write_sections

SECTION = 'gpu_check'


def write_docs(report: Path, docs: Path) -> None:
    """Replace what stands between the markers of ``docs`` by the tables of a report.

    Args:
        report (Path): ``report.json`` of a check on a GPU.
        docs (Path): A Markdown file with the two markers.

    Raises:
        FileNotFoundError: If one of the files does not exist.
        ValueError: If the report is a rehearsal's or is not complete, or the markers are not there.
    """
    if not report.is_file():
        raise FileNotFoundError(f'{report} does not exist')
    found = json.loads(report.read_text(encoding='utf-8'))
    if found['rehearsal']:
        raise ValueError(f'{report} is the report of a rehearsal, whose figures mean nothing; give one from a GPU')
    if not found['finished']:
        raise ValueError(f'{report} is the report of a check that did not come to its end; give a complete one')
    write_sections(docs, {SECTION: section(found)})


def section(report: dict | None) -> list[str]:
    """The lines between the markers: where it was measured, and the tables of all parts.

    Without a report, every table says "not measured".
    """
    outcomes = {outcome['name']: outcome for outcome in report['parts']} if report else {}
    lines = [_origin(report) if report else 'No GPU has been measured with this version.']
    for part in PARTS:
        outcome = outcomes.get(part.name, dict(records=[], reason=''))
        for table in part.load().tables(outcome['records']):
            lines += ['', *table.markdown('###')]
        if outcome['reason']:
            lines += ['', f'{part.title}: {outcome["status"]}, {outcome["reason"]}']
    return lines


def _origin(report: dict) -> str:
    """Card, driver, versions and command."""
    device = next((r for part in report['parts'] if part['name'] == 'device' for r in part['records']), {})
    card = f'{device.get("name", "unknown card")}, driver {device.get("driver", "unknown")}'
    named = ', '.join(f'{name} {version}' for name, version in report['versions'].items())
    return f'{card}; {named}; `{report["command"]}`, {report["started"]}.'
