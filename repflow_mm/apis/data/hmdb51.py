"""Make MMAction2 lists of HMDB51's three splits from the official split files.

The official archive test_train_splits.rar holds <class>_test_split<k>.txt; labels are the classes in alphabetical
order. With --videos, videos are found in folders of classes or in one folder, also re-encoded ones (<name>_0.mp4), and
those that are not there are left out and reported; without, paths are <class>/<video>.
Example: repflow-mm hmdb51 data/hmdb51/annotations data/hmdb51 --videos data/hmdb51/videos
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from repflow_mm.apis.command_line import one_line_errors, show
from repflow_mm.apis.data.clip_flags import add_split_flags, list_parser
from repflow_mm.datasets.list_makers.hmdb51 import SPLITS, make_hmdb51_lists
from repflow_mm.datasets.list_makers.making import summary_lines


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of the command."""
    parser = list_parser(__doc__, 'folder of the official split files')
    add_split_flags(parser, SPLITS)
    parser.add_argument('--suffix', help='ending in place of .avi where videos are not looked for, e.g. .mp4')
    parser.add_argument('--classes', nargs='+', help='some of the classes, in the order of their labels; default: all')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    args = parse_args(argv)
    with one_line_errors():
        options = (args.splits, args.suffix, args.classes)
        report = make_hmdb51_lists(args.annotations, args.out, args.videos, *options)
    show(*summary_lines(report, args.out))
