"""Make the lists of Diving48 (V2) from the official annotations, and the videos or folders of frames.

The annotations are Diving48_V2_train.json, Diving48_V2_test.json and Diving48_vocab.json.
Example: repflow-mm diving48 data/diving48/annotations data/diving48 --videos data/diving48/videos
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from repflow_mm.apis.command_line import one_line_errors, show
from repflow_mm.apis.data.clip_flags import add_clip_flags, clip_files, list_parser
from repflow_mm.datasets.list_makers.diving48 import make_diving48_lists
from repflow_mm.datasets.list_makers.making import summary_lines


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of the command."""
    parser = list_parser(__doc__)
    add_clip_flags(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    args = parse_args(argv)
    with one_line_errors():
        report = make_diving48_lists(args.annotations, args.out, clip_files(args))
    show(*summary_lines(report, args.out))
