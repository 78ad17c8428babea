"""Compute the flow of the videos of a list and write it as MMAction2's RawframeDataset reads it.

The videos are only read. A run that was stopped or killed goes on where it was; what it leaves is whole.
Example: repflow-mm extract_flow data/hmdb51/hmdb51_train_split_1_videos.txt data/hmdb51/flow \
  --videos data/hmdb51/videos --short-side 256 --format mp4
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields

from repflow_mm.apis.command_line import one_line_errors, show
from repflow_mm.classical_flow.methods import METHODS, make_parameters
from repflow_mm.datasets.flow.extraction import FlowOptions, extract_flow
from repflow_mm.datasets.flow.frames import FORMATS
from repflow_mm.datasets.lists.list_runs import summary_lines


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of the command."""
    # The flags of the parameters are those of the method, which has to be known first.
    first = argparse.ArgumentParser(add_help=False)
    first.add_argument('--method', choices=tuple(METHODS), default='tvl1', help='default: tvl1')
    method = first.parse_known_args(argv)[0].method
    parser = argparse.ArgumentParser(
        description=__doc__, parents=[first], formatter_class=argparse.RawDescriptionHelpFormatter
    )
    _add_flags(parser)
    group = parser.add_argument_group(f'parameters of {method}', '--method ... --help shows those of another method')
    for parameter in fields(METHODS[method].parameters):
        flag, default = parameter.name.replace('_', '-'), parameter.default
        group.add_argument(f'--{flag}', type=type(default), default=default, help=f'default: {default}')
    return parser.parse_args(argv)


def _add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that do not depend on the method."""
    parser.add_argument('list', help='list of the videos, lines "path label"')
    parser.add_argument('out', help='folder to write to; several lists may share it')
    parser.add_argument('--videos', default='.', help='folder that the paths are relative to; default: this folder')
    parser.add_argument(
        '--format', choices=tuple(FORMATS), default='jpg', help='a folder of JPEGs a video (default), or a file a video'
    )
    parser.add_argument('--bound', type=float, default=20.0, help='largest displacement kept, pixels; default: 20')
    parser.add_argument('--short-side', type=int, help='shorter side of the frames; default: as they are')
    parser.add_argument('--device', default='cpu', help='cpu (default), cuda or cuda:<index>')
    parser.add_argument('--batch', type=int, default=16, help='pairs of frames at a time; default: 16')
    parser.add_argument('--jobs', type=int, help='number of processes; default: one for each core, on a GPU 1')
    parser.add_argument('--timeout', type=float, default=120.0, help='seconds a batch may take; default: 120')
    parser.add_argument('--multi-class', action='store_true', help='lines may have several labels')
    parser.add_argument('--retry', action='store_true', help='try again what an earlier run failed on')
    parser.add_argument('--allow-outside', action='store_true', help='take paths that lead out of the folder of videos')
    parser.add_argument('--decoder', help='what reads the videos; default: $REPFLOW_MM_DECODER or pyav')


def main(argv: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    args = vars(parse_args(argv))
    options = {name: args.pop(name) for name in ('bound', 'short_side', 'format', 'method')}
    values = {field.name: args.pop(field.name) for field in fields(METHODS[options['method']].parameters)}
    with one_line_errors(goes_on=True):
        options = FlowOptions(**options, parameters=make_parameters(options['method'], values))
        report = extract_flow(args.pop('list'), args.pop('out'), options=options, **args)
    show(*summary_lines(report))
