"""Make MMAction2 lists of UCF101's three splits from the official split files.

The official archive holds classInd.txt, trainlist01.txt, testlist01.txt and so on. Videos may lie in folders of classes
or in one folder; with --videos, those that are not there are left out and reported.
Example: repflow-mm ucf101 data/ucf101/annotations data/ucf101 --videos data/ucf101/videos
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from repflow_mm.apis.command_line import one_line_errors, show
from repflow_mm.apis.data.clip_flags import add_split_flags, list_parser
from repflow_mm.datasets.list_makers.making import summary_lines
from repflow_mm.datasets.list_makers.ucf101 import SPLITS, make_ucf101_lists


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of the command."""
    parser = list_parser(__doc__, 'folder of the official split files')
    add_split_flags(parser, SPLITS)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    args = parse_args(argv)
    with one_line_errors():
        report = make_ucf101_lists(args.annotations, args.out, args.videos, args.splits)
    show(*summary_lines(report, args.out))
