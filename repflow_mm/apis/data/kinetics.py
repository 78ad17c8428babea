"""Make the lists of Kinetics-400, -600 or -700 from its tables and the videos that you have.

The tables, "label,youtube_id,time_start,time_end,split", and the videos are at github.com/cvdfoundation/
kinetics-dataset. Videos may lie in one folder or in folders of classes. A test split without labels becomes a list of
paths.
Example: repflow-mm kinetics data/kinetics400 --version 400 \
  --train-table k400/annotations/train.csv --train-videos data/kinetics400/videos_train \
  --val-table k400/annotations/val.csv --val-videos data/kinetics400/videos_val
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from repflow_mm.apis.command_line import one_line_errors, show
from repflow_mm.datasets.list_makers.kinetics import SUBSETS, VERSIONS, make_kinetics_lists
from repflow_mm.datasets.list_makers.making import counted, summary_lines


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out', help='folder for the lists and the report')
    parser.add_argument('--version', type=int, choices=VERSIONS, default=400, help='number of classes; default: 400')
    for subset in SUBSETS:
        parser.add_argument(f'--{subset}-table', help=f'table of the {subset} split')
        parser.add_argument(f'--{subset}-videos', help='folder of its videos; those that are not there are reported')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    args = vars(parse_args(argv))
    tables = {subset: args[f'{subset}_table'] for subset in SUBSETS if args[f'{subset}_table']}
    videos = {subset: args[f'{subset}_videos'] for subset in SUBSETS}
    with one_line_errors():
        report = make_kinetics_lists(tables, args['out'], videos, args['version'])
    notes = dict(no_ids='lines without an id of a video', in_several='clips in more than one table')
    lines = [f'{text}: {counted(report[key])}' for key, text in notes.items() if report[key]]
    show(*lines, *summary_lines(report, args['out']))
