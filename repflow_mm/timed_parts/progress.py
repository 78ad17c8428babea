"""Keeps a report and the terminal up to date while parts run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from repflow_mm.timed_parts.runner import RUNNING, WAITING

Update = Callable[[list[dict]], None]


def updater(report: dict, write: Callable[[], None]) -> Update:
    """A function for the news of ``run_parts``: it puts the outcomes into a report and shows what is new of them.

    Args:
        report (dict): Its ``parts`` become the outcomes.
        write (Callable): Writes the report down.
    """
    show_new = new_lines_shown()

    def update(outcomes: list[dict]) -> None:
        report['parts'] = outcomes
        write()
        show_new(outcomes)

    return update


def new_lines_shown() -> Update:
    """A function that writes the lines of :func:`progress_lines` that it has not written yet to the terminal."""
    shown = set()

    def show_new(outcomes: Sequence[dict]) -> None:
        lines = [line for line in progress_lines(outcomes) if line not in shown]
        shown.update(lines)
        sys.stderr.write(''.join(f'{line}\n' for line in lines))

    return show_new


def progress_lines(outcomes: Sequence[dict]) -> list[str]:
    """A line for each part that runs or has run."""
    lines = []
    for outcome in outcomes:
        state = f'{outcome["name"]}: {outcome["status"]}'
        if outcome['status'] == RUNNING:
            lines.append(f'{state}, for {outcome["limit"]:.0f} s at most')
        elif outcome['status'] != WAITING:
            why = f', {outcome["reason"]}' if outcome['reason'] else ''
            lines.append(f'{state} after {outcome["seconds"]:.0f} s, {len(outcome["records"])} records{why}')
    return lines
