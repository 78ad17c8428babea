"""Check the videos of a list by decoding every frame, and write the list of those that are whole.

The videos are only read. A run that was stopped goes on where it was; files that have changed are checked again.
Example: repflow-mm check_videos data/kinetics400/kinetics400_train_list_videos.txt \
  --videos data/kinetics400/videos_train --jobs 16
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from repflow_mm.apis.command_line import one_line_errors, show
from repflow_mm.datasets.lists.check_videos import check_videos
from repflow_mm.datasets.lists.list_runs import summary_lines


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('list', help='list of the videos, lines "path label"')
    parser.add_argument('--videos', default='.', help='folder that its paths are relative to; default: this folder')
    parser.add_argument('--out', help="folder for the clean list, report and journal; default: the list's")
    parser.add_argument('--jobs', type=int, help='number of processes; default: one for each core')
    parser.add_argument('--timeout', type=float, default=120.0, help='seconds a video may take; default: 120')
    parser.add_argument('--delimiter', help='what stands between path and label; default: any blanks')
    parser.add_argument('--multi-class', action='store_true', help='lines may have several labels')
    parser.add_argument('--with-offset', action='store_true', help='lines "path offset total_frames label", of parts')
    parser.add_argument('--retry', action='store_true', help='check again what an earlier run found bad')
    parser.add_argument('--allow-outside', action='store_true', help='take paths that lead out of the folder of videos')
    parser.add_argument('--decoder', help='what training reads with; default: $REPFLOW_MM_DECODER or pyav')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    args = vars(parse_args(argv))
    with one_line_errors(goes_on=True):
        report = check_videos(args.pop('list'), **args)
    show(*summary_lines(report))
