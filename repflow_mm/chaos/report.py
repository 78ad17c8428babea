"""The table of figures, and its place in the documentation."""

from __future__ import annotations

from pathlib import Path

from repflow_mm.chaos.parts import PARTS
from repflow_mm.files import write_json, write_text
from repflow_mm.markdown import markdown_table, read_page, section_lines, write_sections
from repflow_mm.timed_parts.runner import DONE

SECTION = 'chaos'
TITLES = {part.name: part.title for part in PARTS}
HEADER = ('part', 'what was tried', 'times', 'as wanted', 'the first that was not')
EMPTY_TABLE = markdown_table(HEADER, []).split('\n')


def rows_of(outcomes: list[dict]) -> list[tuple[str, str, int, int, str]]:
    """A row for each kind of each part: part, what was tried, how often, how often it went as wanted, what did not."""
    rows = []
    for outcome in outcomes:
        kinds: dict[str, list[dict]] = {}
        for record in outcome['records']:
            kinds.setdefault(record['kind'], []).append(record)
        for kind, records in kinds.items():
            tried = sum(record['count'] for record in records)
            wrong = [record for record in records if not record['ok']]
            right = tried - sum(min(record['count'], 1) for record in wrong)
            rows.append((TITLES[outcome['name']], kind, tried, right, wrong[0]['why'] if wrong else ''))
        if outcome['status'] != DONE:
            rows.append((TITLES[outcome['name']], f'{outcome["status"]}: {outcome["reason"]}', 0, 0, ''))
    return rows


def is_as_wanted(outcomes: list[dict]) -> bool:
    """Whether every part came to its end and everything went as wanted."""
    ended = all(outcome['status'] == DONE for outcome in outcomes)
    return ended and all(record['ok'] for outcome in outcomes for record in outcome['records'])


def table(outcomes: list[dict]) -> str:
    """The rows in Markdown."""
    rows = [tuple(str(cell).replace('|', '\\|').replace('\n', ' ') for cell in row) for row in rows_of(outcomes)]
    return markdown_table(HEADER, rows)


def write_docs(report: dict, docs: Path) -> None:
    """Put the rows of a report into the table between the markers of a Markdown file.

    What is said there of parts that were not run stays.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the markers are not there.
    """
    versions = ', '.join(f'{name} {version}' for name, version in report['versions'].items())
    source = f'`{report["command"]}`, {report["started"]}; {versions}'
    parts = _documented(section_lines(read_page(docs), SECTION, docs))
    parts |= {TITLES[part['name']]: (source, table([part]).split('\n')[2:]) for part in report['parts']}
    write_sections(docs, {SECTION: _laid_out(parts)})


def _documented(lines: list[str]) -> dict[str, tuple[str, list[str]]]:
    """Where the figures of each part come from, and its rows, by its title."""
    found = {}
    for line in lines:
        titles, _, source = line.removeprefix('- ').partition(': ')
        for title in titles.split(', ') if line.startswith('- ') else ():
            found[title] = source, [row for row in lines if row.startswith(f'| {title} |')]
    return found


def _laid_out(parts: dict[str, tuple[str, list[str]]]) -> list[str]:
    """What :func:`_documented` reads: the parts of each source, and the table of all."""
    titles = [title for title in TITLES.values() if title in parts]
    sources = dict.fromkeys(parts[title][0] for title in titles)
    of_sources = {source: [title for title in titles if parts[title][0] == source] for source in sources}
    rows = [row for title in titles for row in parts[title][1]]
    return [*(f'- {", ".join(found)}: {source}' for source, found in of_sources.items()), '', *EMPTY_TABLE, *rows]


def write_report(report: dict, folder: Path) -> None:
    """Write ``report.json`` and, for reading, ``report.md``."""
    write_json(folder / 'report.json', report)
    write_text(folder / 'report.md', [f'`{report["command"]}`', '', *table(report['parts']).split('\n')])
