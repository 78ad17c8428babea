"""Text in Markdown, and pages with generated sections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from repflow_mm.files import write_text


def markdown_table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown, without a line end behind its last row.

    Args:
        header (Sequence[object]): What stands above the columns.
        rows (Iterable[Sequence[object]]): The cells of every row.

    Raises:
        ValueError: If a row has another number of cells than the header.
    """
    lines = [_line(header), '|' + '---|' * len(header)]
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f'a row has {len(row)} cells, the header {len(header)}: {list(row)}')
        lines.append(_line(row))
    return '\n'.join(lines)


def read_page(page: Path) -> str:
    """The text of a page.

    Raises:
        FileNotFoundError: If the page does not exist.
    """
    if not page.is_file():
        raise FileNotFoundError(f'{page} does not exist')
    return page.read_text(encoding='utf-8')


def write_sections(page: Path, sections: Mapping[str, Sequence[str]]) -> None:
    """Put other lines into sections of a page, all of them at once or, if one has no markers, none.

    Args:
        page (Path): A Markdown file, which is never there in part.
        sections (Mapping[str, Sequence[str]]): The lines of each section, see :func:`replace_section`, by its name.

    Raises:
        FileNotFoundError: If the page does not exist.
        ValueError: If the markers of a section are not there, each once and in order.
    """
    text = read_page(page)
    for name, lines in sections.items():
        text = replace_section(text, name, lines, page)
    write_text(page, text.splitlines())


def replace_section(text: str, name: str, lines: Sequence[str], file: object) -> str:
    """A text with other lines between its markers ``<!-- name: begin -->`` and ``<!-- name: end -->``.

    Args:
        text (str): The text.
        name (str): The section's name.
        lines (Sequence[str]): What comes between the markers.
        file (object): What the error calls the text.

    Raises:
        ValueError: If the markers are not there, each once and in order.
    """
    before, _, after = _parted(text, name, file)
    return '\n'.join([before, '', *lines, '', after])


def section_lines(text: str, name: str, file: object) -> list[str]:
    """The lines between a text's markers ``<!-- name: begin -->`` and ``<!-- name: end -->``.

    Args:
        text (str): The text.
        name (str): The section's name.
        file (object): What the error calls the text.

    Raises:
        ValueError: If the markers are not there, each once and in order.
    """
    return _parted(text, name, file)[1].split('\n')


def _parted(text: str, name: str, file: object) -> tuple[str, str, str]:
    """A text to its first marker and from its second one on, and what is between them."""
    begin, end = f'<!-- {name}: begin -->', f'<!-- {name}: end -->'
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f'{file} must have the lines {begin} and {end}, each once and in this order')
    before, rest = text.split(begin)
    section, after = rest.split(end)
    return before + begin, section, end + after


def _line(cells: Sequence[object]) -> str:
    return f'| {" | ".join(map(str, cells))} |'
