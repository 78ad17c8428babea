"""Tables of the report, and how figures are written in them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from repflow_mm.markdown import markdown_table


class Table(NamedTuple):
    """A table of the report: its title, a sentence about what it shows, its header and its rows of cells."""

    title: str
    about: str
    header: Sequence[str]
    rows: Sequence[Sequence[object]]

    def markdown(self, level: str = '###') -> list[str]:
        """The table's lines; without rows it says "not measured"."""
        lines = [f'{level} {self.title}', '', *([self.about, ''] if self.about else [])]
        if not self.rows:
            return [*lines, 'not measured']
        return [*lines, *markdown_table(self.header, self.rows).split('\n')]


def milliseconds(seconds: Sequence[float] | None) -> str:
    """The median of repeated times in ms, with three significant digits; a dash where there are none."""
    return f'{1e3 * statistics.median(seconds):.3g}' if seconds else '–'


def ratio(slow: Sequence[float] | None, fast: Sequence[float] | None) -> str:
    """How many times as long ``slow`` takes as ``fast``, by the medians; a dash where one is missing."""
    return f'{statistics.median(slow) / statistics.median(fast):.3g}×' if slow and fast else '–'


def yes_or_no(record: dict) -> str:
    """The outcome of a check as a cell."""
    return 'yes' if record.get('ok') else '**no**'
