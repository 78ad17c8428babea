"""Check the frames, or the flow, of a list by decoding them, and write the list of those that are whole.

They are only read. A run that was stopped goes on where it was; folders that have changed are checked again.
Example: repflow-mm check_frames data/hmdb51/flow/hmdb51_train_split_1_videos.txt --frames data/hmdb51/flow \
  --modality Flow
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields

from repflow_mm.apis.command_line import one_line_errors, show
from repflow_mm.datasets.flow.frames import FLOW_TEMPLATE
from repflow_mm.datasets.lists.check_frames import FrameLayout, check_frames
from repflow_mm.datasets.lists.list_runs import summary_lines


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('list', help='list of the frames, lines "frame_dir total_frames label"')
    parser.add_argument('--frames', default='.', help='folder that its paths are relative to; default: this folder')
    parser.add_argument('--modality', choices=('RGB', 'Flow'), default='RGB', help='default: RGB')
    parser.add_argument('--filename-tmpl', help=f'names of images; default: img_{{:05}}.jpg, of flow {FLOW_TEMPLATE}')
    parser.add_argument('--start-index', type=int, default=1, help='number of the first frame; default: 1')
    parser.add_argument('--with-offset', action='store_true', help='lines have an offset before the number of frames')
    parser.add_argument('--multi-class', action='store_true', help='lines may have several labels')
    parser.add_argument('--out', help="folder for the clean list, report and journal; default: the list's")
    parser.add_argument('--jobs', type=int, help='number of processes; default: one for each core')
    parser.add_argument('--timeout', type=float, default=120.0, help='seconds 32 frames may take; default: 120')
    parser.add_argument('--retry', action='store_true', help='check again what an earlier run found bad')
    parser.add_argument('--allow-outside', action='store_true', help='take paths that lead out of the folder')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    args = vars(parse_args(argv))
    layout = {field.name: args.pop(field.name) for field in fields(FrameLayout)}
    if layout['filename_tmpl'] is None:
        layout['filename_tmpl'] = FLOW_TEMPLATE if layout['modality'] == 'Flow' else FrameLayout.filename_tmpl
    with one_line_errors(goes_on=True):
        report = check_frames(args.pop('list'), layout=FrameLayout(**layout), **args)
    show(*summary_lines(report))
