"""Text in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


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


def _line(cells: Sequence[object]) -> str:
    return f'| {" | ".join(map(str, cells))} |'
