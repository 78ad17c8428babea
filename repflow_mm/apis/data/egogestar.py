"""Make MMAction2 lists of EgoGestAR: ten gestures of a pointing hand, which only its path tells apart.

The clips are in the public repository varunj/EgoGestAR on GitHub. The test clips show scenes that are not trained on;
the lists *_tune.txt hold other scenes out, for choices that must not look at the test clips. Paths are relative to the
clone.
Example: repflow-mm egogestar data/egogestar data/egogestar
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from repflow_mm.apis.command_line import one_line_errors, show
from repflow_mm.datasets.lists.egogestar import CLASSES_FILE, REPORT_FILE, make_egogestar_lists


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('clone', help='the clone of the repository, with its folder testvideo')
    parser.add_argument('out', help='folder for the lists and the report')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    args = parse_args(argv)
    with one_line_errors():
        report = make_egogestar_lists(args.clone, args.out)
    lines = [f'{name}: {count} clips' for name, count in report['found'].items()]
    missing, unused = report['missing'], report['unused']
    lines.append(f'not in the clone: {len(missing)} clips{_first(missing)}')
    lines.append(f'in the clone, but in no list: {len(unused)} clips{_first(unused)}')
    show(*lines, f'{args.out}: lists, {CLASSES_FILE}, {REPORT_FILE}')


def _first(paths: list[str]) -> str:
    return f', the first {paths[0]}' if paths else ''
