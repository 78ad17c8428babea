"""Puts the tables and pictures of a sweep into the documentation."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from repflow_mm.files import completed
from repflow_mm.markdown import read_page, section_lines, write_sections
from repflow_mm.sweeps.table_pictures import SUFFIXES

# What the name of a section has behind that of its table, if it has no pictures.
ALONE = '-table'


def check_sections(tables: Sequence[str], docs: Path) -> None:
    """Raise what :func:`write_docs` would raise, before a sweep starts.

    Args:
        tables (Sequence[str]): Names of the tables.
        docs (Path): The Markdown file.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the markers of a table are not there.
    """
    text = read_page(docs)
    for table in tables:
        section_lines(text, _section(table, text), docs)


def write_docs(tables: Sequence[str], work_dir: Path, docs: Path) -> None:
    """Put a sweep's tables between the markers ``<!-- TABLE: begin -->`` and ``<!-- TABLE: end -->`` of a text.

    Pictures are copied beside the documentation, as ``<docs>_<picture>.png``, and shown below their table. Between
    ``<!-- TABLE-table: begin -->`` and ``<!-- TABLE-table: end -->``, if a text has these instead, is the table alone.

    Args:
        tables (Sequence[str]): Names of the tables.
        work_dir (Path): The sweep's folder, with ``<table>.md`` and pictures.
        docs (Path): A Markdown file with the markers of all tables.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the markers are not there.
    """
    check_sections(tables, docs)
    text, sections = read_page(docs), {}
    for table in tables:
        section = _section(table, text)
        sections[section] = (work_dir / f'{table}.md').read_text(encoding='utf-8').splitlines()
        sections[section] += _pictures(table, work_dir, docs) if section == table else []
    write_sections(docs, sections)


def _section(table: str, text: str) -> str:
    """Name of the section of a text that a table belongs to."""
    alone = f'{table}{ALONE}'
    return alone if f'<!-- {alone}: begin -->' in text else table


def _pictures(table: str, work_dir: Path, docs: Path) -> list[str]:
    """Copy the pictures of a table beside a text; returns the lines that show them."""
    lines = []
    for picture in (f'{table}{suffix}.png' for suffix in SUFFIXES):
        if (work_dir / picture).is_file():
            shown = docs.with_name(f'{docs.stem}_{picture}')
            with completed(shown) as temporary:
                shutil.copyfile(work_dir / picture, temporary)
            lines += ['', f'![{Path(picture).stem}]({shown.name})']
    return lines
