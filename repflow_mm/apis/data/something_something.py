"""Make the lists of Something-Something V1 or V2 from the official annotations, and the videos or frames.

The annotations are labels.json, train.json, validation.json and test.json (V2, also as something-something-v2-*.json),
or something-something-v1-*.csv (V1, whose clips are folders of frames). Tells which labels a mirrored video exchanges.
Example: repflow-mm something_something data/sthv2/annotations data/sthv2 --videos data/sthv2/videos
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from repflow_mm.apis.command_line import one_line_errors, show
from repflow_mm.apis.data.clip_flags import add_clip_flags, clip_files, list_parser
from repflow_mm.datasets.list_makers.making import summary_lines
from repflow_mm.datasets.list_makers.something_something import VERSIONS, make_something_something_lists


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of the command."""
    parser = list_parser(__doc__)
    parser.add_argument('--version', type=int, choices=VERSIONS, default=2, help='1 or 2; default: 2')
    add_clip_flags(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    args = parse_args(argv)
    with one_line_errors():
        report = make_something_something_lists(args.annotations, args.out, clip_files(args), args.version)
    show(*summary_lines(report, args.out))
