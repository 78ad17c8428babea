"""Show what flow layers see in a video, beside classical flow: a sheet, animations and a page to browse.

Without a config it is an untrained layer on the frames; with a config and a checkpoint the flow layers of that network,
and its prediction. A list of videos (.txt) gives a contact sheet for each class instead.
Example: repflow-mm show_flow video.mp4 --out work_dirs/show_flow
"""

from __future__ import annotations

import argparse
import logging
import re
from collections.abc import Sequence
from pathlib import Path

from mmengine.logging import MMLogger

from repflow_mm.apis.command_line import one_line_errors, show
from repflow_mm.apis.flow_viewers import (
    FramesViewer,
    NetworkViewer,
    Viewer,
    check_network,
    see_clip,
)
from repflow_mm.classical_flow.methods import METHODS
from repflow_mm.datasets.lists.class_names import read_class_names
from repflow_mm.datasets.lists.list_files import ListEntry, check_inside, read_list
from repflow_mm.files import check_writable
from repflow_mm.progress import progress_bar
from repflow_mm.visualization.flow_files import FORMATS, write_flow_files, write_png
from repflow_mm.visualization.recognizer_flow import class_name
from repflow_mm.visualization.sheets import clips_sheet


def show_video(
    viewer: Viewer, video: str | Path, out: str | Path, formats: Sequence[str] = FORMATS, fps: int = 8, **options
) -> list[Path]:
    """Write the files that show a video's flow to a folder.

    Args:
        viewer (Viewer): What looks at it.
        video (str | Path): The video.
        out (str | Path): The folder.
        formats (Sequence[str]): Any of ``'png'``, ``'html'``, ``'gif'`` and ``'mp4'``. Defaults to all.
        fps (int): Frames per second of the animations. Defaults to 8.
        **options: Those of :func:`repflow_mm.apis.flow_viewers.see_clip`.

    Returns:
        list[Path]: The files.
    """
    return write_flow_files(see_clip(viewer, video, **options), out, formats, Path(video).name, fps)


def show_list(
    viewer: Viewer,
    file: str | Path,
    videos: str | Path,
    out: str | Path,
    per_class: int = 4,
    class_names: Sequence[str] = (),
    allow_outside: bool = False,
    **options,
) -> list[Path]:
    """Write a contact sheet for each class of a list: the first videos of the class, each at its middle.

    Args:
        viewer (Viewer): What looks at them.
        file (str | Path): The list, lines ``path label``.
        videos (str | Path): Folder that the paths are relative to.
        out (str | Path): Folder of the sheets; made if it does not exist.
        per_class (int): Videos of a class. Defaults to 4.
        class_names (Sequence[str]): Names of the classes. Defaults to their numbers.
        allow_outside (bool): Whether paths may lead out of the folder of videos. Defaults to False.
        **options: Those of :func:`repflow_mm.apis.flow_viewers.see_clip`.

    Returns:
        list[Path]: The sheets, in the order of the labels.
    """
    entries = read_list(file)
    check_inside(file, [(entry.number, entry.path) for entry in entries], videos, allow_outside)
    classes: dict[int, list[ListEntry]] = {}
    for entry in entries:
        classes.setdefault(entry.label, []).append(entry)
    Path(out).mkdir(parents=True, exist_ok=True)
    paths = []
    for label in progress_bar(sorted(classes), 'contact sheets', unit='class'):
        name = class_name(label, class_names)
        shown = classes[label][:per_class]
        clips = [(Path(entry.path).name, see_clip(viewer, Path(videos, entry.path), **options)) for entry in shown]
        paths.append(Path(out, f'{label:03d}_{re.sub(r"[^0-9A-Za-z]+", "_", name)}.png'))
        write_png(paths[-1], clips_sheet(clips, name))
    return paths


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('video', help='a video, or a list of videos (.txt), lines "path label"')
    parser.add_argument('--out', help='folder to write to; default: work_dirs/show_flow/<name of the video>')
    parser.add_argument('--config', help='config of a network with flow layers')
    parser.add_argument('--checkpoint', help='its trained weights, or the folder of the training')
    parser.add_argument('--classes', help='names of the classes, a line each; default: classes.txt beside the list')
    parser.add_argument('--layers', nargs='+', metavar='NAME', help='layers to show, e.g. block3.flow0; default: all')
    parser.add_argument('--channels', nargs='+', type=int, help='channels to show; default: the most active ones')
    parser.add_argument('--top', type=int, default=3, help='how many of the most active channels; default: 3')
    parser.add_argument('--method', choices=(*METHODS, 'none'), default='tvl1', help='flow beside it; default: tvl1')
    parser.add_argument('--formats', nargs='+', choices=FORMATS, default=FORMATS, help='default: all')
    parser.add_argument('--fps', type=int, default=8, help='frames per second of the animations; default: 8')
    parser.add_argument('--device', default='cpu', help='where the network runs; default: cpu')
    group = parser.add_argument_group('for a list')
    group.add_argument('--videos', default='.', help='folder that its paths are relative to; default: this folder')
    group.add_argument('--allow-outside', action='store_true', help='take paths that lead out of that folder')
    group.add_argument('--per-class', type=int, default=4, help='videos of each class; default: 4')
    group = parser.add_argument_group('without a config')
    group.add_argument('--short-side', type=int, default=128, help='shorter side of the frames; default: 128')
    group.add_argument('--num-frames', type=int, default=32, help='frames at most; default: 32')
    group.add_argument('--start', type=int, default=0, help='first frame; default: 0')
    group.add_argument('--interval', type=int, default=1, help='take each n-th frame; default: 1')
    group.add_argument('--num-iters', type=int, default=50, help='iterations of the layer; default: 50')
    return parser.parse_args(argv)


def viewer_from_args(args: argparse.Namespace) -> Viewer:
    """What looks at the videos.

    Raises:
        ValueError: If a config comes without a checkpoint, or the other way round.
    """
    check_network(args.config, args.checkpoint)
    if args.config is None:
        return FramesViewer(args.short_side, args.num_frames, args.start, args.interval, args.num_iters)
    return NetworkViewer(args.config, args.checkpoint, args.classes, args.device)


def main(argv: Sequence[str] | None = None) -> None:
    """Show what the command line says."""
    args = parse_args(argv)
    # The loading of a checkpoint is no news here.
    MMLogger.get_current_instance().setLevel(logging.WARNING)
    options = dict(
        method=None if args.method == 'none' else args.method,
        layers=args.layers,
        channels=args.channels,
        most=args.top,
    )
    out = Path(args.out or Path('work_dirs', 'show_flow', Path(args.video).stem))
    with one_line_errors():
        check_writable(out, '--out')
        viewer = viewer_from_args(args)
        if Path(args.video).suffix == '.txt':
            names = read_class_names(args.classes) if args.classes else viewer.class_names
            options['allow_outside'] = args.allow_outside
            paths = show_list(viewer, args.video, args.videos, out, args.per_class, names, **options)
        else:
            paths = show_video(viewer, args.video, out, args.formats, args.fps, **options)
    show(*map(str, paths))
