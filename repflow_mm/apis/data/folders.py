"""Make lists of your own videos, which lie in a folder for each class.

Splits them by shares of every class, with a seed; with --group, videos of one person or recording stay on one side.
Tells how many videos each class has, and which files are the same.
Example: repflow-mm folders data/mine/videos data/mine --name mine --val 0.2 --group 'person([0-9]+)'
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from repflow_mm.apis.command_line import one_line_errors, show
from repflow_mm.datasets.list_makers.folders import SHARES, folder_lines, make_folder_lists
from repflow_mm.datasets.list_makers.making import summary_lines


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('videos', help='folder of the folders of classes')
    parser.add_argument('out', help='folder for the lists and the report')
    parser.add_argument('--name', help="what the files' names begin with; default: the name of the folder of videos")
    parser.add_argument('--val', type=float, help=f'share for validation; default: {SHARES["val"]}')
    parser.add_argument('--test', type=float, default=0.0, help='share for a test split; default: none')
    parser.add_argument('--seed', type=int, default=0, help='seed of the split; default: 0')
    parser.add_argument('--group', help='regular expression: videos with the same text in its brackets stay together')
    for split in ('train', 'val', 'test'):
        parser.add_argument(f'--{split}-names', help=f'file that names the {split} videos, one a line; for no shares')
    args = parser.parse_args(argv)
    names = args.train_names or args.val_names or args.test_names
    if names and (args.val is not None or args.test or args.group):
        parser.error('--train-names, --val-names and --test-names stand without --val, --test and --group')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    args = parse_args(argv)
    val = SHARES['val'] if args.val is None else args.val
    shares = {'train': 1 - val - args.test, 'val': val, **({'test': args.test} if args.test else {})}
    given = dict(train=args.train_names, val=args.val_names, test=args.test_names)
    given = {split: file for split, file in given.items() if file}
    with one_line_errors():
        report = make_folder_lists(args.videos, args.out, args.name, shares, args.seed, args.group, given)
    show(*folder_lines(report), *summary_lines(report, args.out))
