"""Make the lists of Tiny-Kinetics, the paper's 150 classes, from your lists of Kinetics-400.

The lists are those of the command kinetics, or MMAction2's: one video a line, path and label. The class of a video is
its label's name in --classes, or without that the name of its folder (spaces or underscores, any case). With the
folders of the videos given, clips without a file are left out and reported.
Example: repflow-mm tiny_kinetics data/tiny_kinetics --classes data/kinetics400/kinetics400_classes.txt \
  --train-list data/kinetics400/kinetics400_train_list_videos.txt --train-videos data/kinetics400/videos_train \
  --val-list data/kinetics400/kinetics400_val_list_videos.txt --val-videos data/kinetics400/videos_val
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from repflow_mm.apis.command_line import one_line_errors, show
from repflow_mm.datasets.list_makers.tiny_kinetics import AUTHORS_COUNTS, REPORT_FILE, make_tiny_kinetics


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out', help='folder for the new lists and the report')
    for split in AUTHORS_COUNTS:
        parser.add_argument(f'--{split}-list', help=f'Kinetics-400 list of the {split} split')
        parser.add_argument(f'--{split}-videos', help=f'folder that the paths of --{split}-list are relative to')
    parser.add_argument(
        '--classes',
        help="names behind the lists' labels: .txt with a name a line (kinetics400_classes.txt), .csv of id,name, or "
        '.json; default: the names of the folders',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    args = vars(parse_args(argv))
    lists = {split: args[f'{split}_list'] for split in AUTHORS_COUNTS if args[f'{split}_list']}
    videos = {split: args[f'{split}_videos'] for split in AUTHORS_COUNTS}
    with one_line_errors():
        counts = make_tiny_kinetics(lists, args['out'], videos, args['classes'])
    summaries = (count.summary(split) for split, count in counts.items())
    show(*summaries, f'{args["out"]}: lists, lists of missing clips, {REPORT_FILE}')
