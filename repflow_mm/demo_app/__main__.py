"""Explore the flow of clips in the browser: settings of the solver, channels and places, live.

Without a config it is an untrained layer on the frames; with a config and a checkpoint also the flow layers of that
network, and its prediction. Only this machine can reach it, unless --host says otherwise, and it reaches no other.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mmengine.logging import MMLogger

from repflow_mm.apis.command_line import one_line_errors
from repflow_mm.apis.flow_viewers import FramesViewer, NetworkViewer, check_network
from repflow_mm.apis.videos import find_videos
from repflow_mm.classical_flow.methods import METHODS
from repflow_mm.datasets.motion_clips.clips import MotionClipOptions
from repflow_mm.datasets.motion_clips.files import make_motion_clips
from repflow_mm.demo_app.explorer import Explorer


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of the command."""
    parser = argparse.ArgumentParser(
        prog='python -m repflow_mm.demo_app',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--config', help='config of a network with flow layers')
    parser.add_argument('--checkpoint', help='its trained weights, or the folder of the training')
    parser.add_argument('--classes', help='names of the classes, a line each; default: classes.txt beside the list')
    parser.add_argument('--clips', help='folder with clips to choose from, also below it; default: moving textures')
    parser.add_argument('--method', choices=tuple(METHODS), default='tvl1', help='flow beside it; default: tvl1')
    parser.add_argument('--host', default='127.0.0.1', help='address to serve on; default: this machine alone')
    parser.add_argument('--port', type=int, default=7860, help='default: 7860')
    return parser.parse_args(argv)


def make_explorer(args: argparse.Namespace) -> Explorer:
    """What looks at the clips; the network's layers come first.

    Raises:
        ValueError: If a config comes without a checkpoint, or the other way round.
    """
    check_network(args.config, args.checkpoint)
    viewers = [FramesViewer()]
    if args.config is not None:
        viewers.insert(0, NetworkViewer(args.config, args.checkpoint, args.classes))
    return Explorer(viewers, args.method)


def find_clips(folder: str | Path) -> dict[str, str]:
    """The videos of a folder and of those in it, by their paths there, without suffixes.

    Raises:
        FileNotFoundError, ValueError: As :func:`repflow_mm.apis.videos.find_videos` has it.
    """
    return {str(path.relative_to(folder).with_suffix('')): str(path) for path in find_videos(folder)}


def make_clips(folder: Path) -> dict[str, str]:
    """Clips of moving textures, one for each motion, by its name."""
    options = MotionClipOptions(train=len(MotionClipOptions().classes), val=1, speed=(0.8, 1.2))
    make_motion_clips(folder, options, jobs=1)
    return {name.rpartition('_')[0].replace('_', ' '): path for name, path in find_clips(folder / 'train').items()}


def main(argv: Sequence[str] | None = None) -> None:
    """Serve the app until it is interrupted."""
    args = parse_args(argv)
    MMLogger.get_current_instance().setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix='repflow_mm_demo_') as folder, one_line_errors():
        os.environ.update(GRADIO_ANALYTICS_ENABLED='False', HF_HUB_OFFLINE='1', GRADIO_TEMP_DIR=folder)
        try:
            import uvicorn

            from repflow_mm.demo_app.interface import build_interface
            from repflow_mm.demo_app.server import make_server
        except ImportError as error:
            raise ValueError(f"the app needs Gradio: pip install 'repflow_mm[app]' ({error})") from error
        clips = find_clips(args.clips) if args.clips else make_clips(Path(folder, 'clips'))
        server = make_server(build_interface(make_explorer(args), clips), args.host)
        sys.stdout.write(f'http://{args.host}:{args.port} (Ctrl-C ends it)\n')
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            uvicorn.run(server, host=args.host, port=args.port, log_level='warning')


if __name__ == '__main__':
    main()
