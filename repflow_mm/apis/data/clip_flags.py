"""What the commands that make lists have in common: where annotations, clips and lists are."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from repflow_mm.datasets.list_makers.clip_files import FRAME_TEMPLATE, ClipFiles, FrameFolders


def list_parser(text: str, annotations: str | None = 'folder of the official annotations') -> argparse.ArgumentParser:
    """A parser that shows a text as it stands, with ``annotations``, unless there are none, and ``out``.

    Args:
        text (str): The command's help.
        annotations (str, optional): That of ``annotations``; None for a data set without. Defaults to that of a folder.
    """
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    if annotations is not None:
        parser.add_argument('annotations', help=annotations)
    parser.add_argument('out', help='folder for the lists and the report')
    return parser


def add_clip_flags(parser: argparse.ArgumentParser, required: bool = False) -> None:
    """Add ``--videos`` and ``--frames``, of which one at most is given, and ``--template``."""
    group = parser.add_mutually_exclusive_group(required=required)
    group.add_argument('--videos', help='folder of the videos; those that are not there are left out and reported')
    group.add_argument('--frames', help='folder of folders of frames, for lists of frames in place of videos')
    parser.add_argument(
        '--template',
        default=FRAME_TEMPLATE,
        help=f"name of a frame, such as 'img_{{:05}}.jpg'; default: {FRAME_TEMPLATE}",
    )


def add_video_flag(parser: argparse.ArgumentParser) -> None:
    """Add ``--videos``, for data sets whose clips are videos alone."""
    parser.add_argument('--videos', help='folder of the videos; those that are not there are left out and reported')


def add_split_flags(parser: argparse.ArgumentParser, splits: Sequence[int]) -> None:
    """Add ``--videos`` and ``--splits``, for data sets with several splits."""
    add_video_flag(parser)
    text = f'which splits; default: {" ".join(map(str, splits))}'
    parser.add_argument('--splits', type=int, nargs='+', default=splits, choices=splits, metavar='SPLIT', help=text)


def clip_files(args: argparse.Namespace) -> ClipFiles | None:
    """What the flags say: the videos, the folders of frames, or None.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If the template is none.
    """
    if args.frames:
        return FrameFolders(args.frames, args.template)
    return ClipFiles(args.videos) if args.videos else None
