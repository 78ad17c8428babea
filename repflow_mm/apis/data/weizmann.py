"""Make MMAction2 lists of Weizmann's nine folds: ten actions of nine actors, of whom a fold tests one.

Videos are known by their names, such as daria_walk.avi and lena_walk1.avi. With --videos, those that are not there are
left out and reported; without, paths are <class>/<video>.
Example: repflow-mm weizmann data/weizmann --videos data/weizmann/videos
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from repflow_mm.apis.command_line import one_line_errors, show
from repflow_mm.apis.data.clip_flags import add_split_flags, list_parser
from repflow_mm.datasets.list_makers.making import summary_lines
from repflow_mm.datasets.list_makers.weizmann import SPLITS, make_weizmann_lists


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of the command."""
    parser = list_parser(__doc__, annotations=None)
    add_split_flags(parser, SPLITS)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    args = parse_args(argv)
    with one_line_errors():
        report = make_weizmann_lists(args.out, args.videos, args.splits)
    show(*summary_lines(report, args.out))
