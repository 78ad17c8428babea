"""Write short mp4 clips of moving textures, and MMAction2 list files, for the demo and its ablations.

The class of a clip is its motion; no single frame tells it. Safe to interrupt and to repeat: complete clips are kept.
Example: repflow-mm make_motion_clips data/motion_clips --train 800 --val 200 --size 64 --length 16
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from repflow_mm.apis.command_line import one_line_errors, show
from repflow_mm.datasets.motion_clips.clips import VARIANTS, MotionClipOptions
from repflow_mm.datasets.motion_clips.files import make_motion_clips


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n\n')[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument('out', help='folder for the clips')
    parser.add_argument('--variant', choices=tuple(VARIANTS), default='easy', help='what the options below start from')
    options = parser.add_argument_group('options', "where no default is shown, it is the variant's")
    options.add_argument('--train', type=int, default=800, help='number of training clips')
    options.add_argument('--val', type=int, default=200, help='number of validation clips')
    options.add_argument('--size', type=int, default=64, help='side of the frames in pixels, even')
    options.add_argument('--length', type=int, default=16, help='frames of a clip')
    options.add_argument('--fps', type=int, default=16, help='frames per second')
    options.add_argument('--seed', type=int, default=0, help='seed of textures and motions')
    unset = dict(default=argparse.SUPPRESS)
    options.add_argument('--classes', nargs='+', help='names of motions, in the order of the labels', **unset)
    options.add_argument(
        '--speed', type=float, nargs=2, metavar=('LOW', 'HIGH'), help='mean displacement, pixels per frame', **unset
    )
    options.add_argument('--noise-sigma', type=float, help='noise of the pixels, grey levels', **unset)
    options.add_argument('--brightness-drift', type=float, help='largest relative change of brightness', **unset)
    options.add_argument('--num-distractors', type=int, help='discs that move in ways of their own', **unset)
    parser.add_argument('--jobs', type=int, default=None, help='number of processes; None is one for each core')
    parser.add_argument('--overwrite', action='store_true', help='replace clips made with other options')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    options = vars(parse_args(argv))
    out, jobs, overwrite, variant = (options.pop(name) for name in ('out', 'jobs', 'overwrite', 'variant'))
    with one_line_errors(goes_on=True):
        written = make_motion_clips(out, MotionClipOptions.from_variant(variant, **options), jobs, overwrite)
    show(f'{out}: {written} clips written, {options["train"]} + {options["val"]} in train.txt and val.txt')
