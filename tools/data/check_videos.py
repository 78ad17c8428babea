#!/usr/bin/env python3
"""Check the videos of a list by decoding every frame, and write the list of those that are whole.

The videos are only read. A run that was stopped goes on where it was; files that have changed are checked again.
Example: python tools/data/check_videos.py data/kinetics400/kinetics400_train_list_videos.txt \
  --videos data/kinetics400/videos_train --jobs 16
"""

import argparse
import sys

from repflow_mm.datasets.lists.check_videos import check_videos
from repflow_mm.datasets.lists.list_runs import summary_lines


def parse_args(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('list', help='list of the videos, lines "path label"')
    parser.add_argument('--videos', default='.', help='folder that its paths are relative to; default: this folder')
    parser.add_argument('--out', help="folder for the clean list, report and journal; default: the list's")
    parser.add_argument('--jobs', type=int, help='number of processes; default: one for each core')
    parser.add_argument('--timeout', type=float, default=120.0, help='seconds a video may take; default: 120')
    parser.add_argument('--retry', action='store_true', help='check again what an earlier run found bad')
    parser.add_argument('--allow-outside', action='store_true', help='take paths that lead out of the folder of videos')
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    try:
        options = (args.jobs, args.timeout, args.retry, args.allow_outside)
        report = check_videos(args.list, args.videos, args.out, *options)
    except (ValueError, OSError) as error:
        sys.exit(f'error: {error}')
    except KeyboardInterrupt:
        sys.exit('interrupted; the same command goes on from here')
    lines = summary_lines(report)
    print('\n'.join(lines[:22]))
    if len(lines) > 22:
        print(f'... {len(lines) - 22} more in the report')


if __name__ == '__main__':
    main()
