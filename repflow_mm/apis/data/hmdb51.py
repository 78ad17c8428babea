"""Make MMAction2 lists of HMDB51's three splits from the official split files.

The official archive test_train_splits.rar holds <class>_test_split<k>.txt; labels are the classes in alphabetical
order, paths are <class>/<video>. With --videos, videos that are not there are left out and reported.
Example: repflow-mm hmdb51 data/hmdb51/annotations data/hmdb51 --videos data/hmdb51/videos
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from repflow_mm.apis.command_line import one_line_errors, show
from repflow_mm.datasets.lists.hmdb51 import CLASSES_FILE, REPORT_FILE, SPLITS, make_hmdb51_lists


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('annotations', help='folder of the official split files')
    parser.add_argument('out', help='folder for the lists and the report')
    parser.add_argument('--videos', help='folder of the videos, a folder for each class')
    parser.add_argument('--splits', type=int, nargs='+', default=SPLITS, help='which splits; default: 1 2 3')
    parser.add_argument('--suffix', help='ending of converted videos in place of .avi, e.g. .mp4')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    args = parse_args(argv)
    with one_line_errors():
        report = make_hmdb51_lists(args.annotations, args.out, args.videos, args.splits, args.suffix)
    lines = []
    for name, counts in report.items():
        missing = 'not looked for' if counts['missing'] is None else len(counts['missing'])
        lines.append(f'{name}: {counts["found"]} videos found of the official {counts["official"]}; missing: {missing}')
    show(*lines, f'{args.out}: lists, {CLASSES_FILE}, {REPORT_FILE}')
