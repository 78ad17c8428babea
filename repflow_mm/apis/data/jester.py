"""Make the lists of Jester from the official annotations, jester-v1-*.csv, and the folders of frames.

Tells which labels a mirrored clip exchanges.
Example: repflow-mm jester data/jester/annotations data/jester --frames data/jester/rawframes
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from repflow_mm.apis.command_line import one_line_errors, show
from repflow_mm.apis.data.clip_flags import add_clip_flags, clip_files, list_parser
from repflow_mm.datasets.list_makers.jester import make_jester_lists
from repflow_mm.datasets.list_makers.making import summary_lines


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of the command."""
    parser = list_parser(__doc__)
    add_clip_flags(parser, required=True)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    args = parse_args(argv)
    with one_line_errors():
        report = make_jester_lists(args.annotations, args.out, clip_files(args))
    show(*summary_lines(report, args.out))
