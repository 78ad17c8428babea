"""Make MMAction2 lists of KTH's sequences: six actions of 25 persons.

The official 00sequences.txt says which frames of a video are a sequence. The lists *_test.txt test on nine persons;
*_tune.txt, for choices that must not look at these, on eight of the others. With --videos, videos that are not there
are left out and reported; without, paths are <class>/<video>.
Example: repflow-mm kth data/kth/annotations data/kth --videos data/kth/videos
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from repflow_mm.apis.command_line import one_line_errors, show
from repflow_mm.apis.data.clip_flags import add_video_flag, list_parser
from repflow_mm.datasets.list_makers.kth import make_kth_lists
from repflow_mm.datasets.list_makers.making import summary_lines


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of the command."""
    parser = list_parser(__doc__, 'folder of the official 00sequences.txt')
    add_video_flag(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    args = parse_args(argv)
    with one_line_errors():
        report = make_kth_lists(args.annotations, args.out, args.videos)
    show(*summary_lines(report, args.out))
