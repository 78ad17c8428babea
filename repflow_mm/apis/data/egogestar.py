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
from repflow_mm.datasets.list_makers.egogestar import make_egogestar_lists
from repflow_mm.datasets.list_makers.making import summary_lines


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
    show(*summary_lines(report, args.out))
