"""Export from the command line: a recognizer as ONNX, a torch.export program or TorchScript, checked on clips."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from mmaction.structures import ActionDataSample
from torch import Tensor

from repflow_mm.apis.checkpoint import checkpoint_of
from repflow_mm.apis.command_line import one_line_errors
from repflow_mm.apis.recognizer import Recognizer, load_recognizer
from repflow_mm.apis.videos import find_videos
from repflow_mm.datasets.motion_clips.clips import MotionClipOptions, render_clip
from repflow_mm.datasets.video_files import write_video
from repflow_mm.export.formats import FORMATS, check_format, load_network, write_network
from repflow_mm.export.network import ScoringNetwork
from repflow_mm.files import check_writable

SUFFIXES = {'onnx': '.onnx', 'pt2': '.pt2', 'torchscript': '.pt'}
TOLERANCE = 1e-4
# Of each video, as many views at most are compared.
MOST_VIEWS = 4


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of ``tools/export.py``."""
    parser = argparse.ArgumentParser(description='Export a recognizer and compare it with the original on clips.')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file, or the folder of a training, for its newest one')
    parser.add_argument('--format', choices=FORMATS, default='onnx', help='format (default: onnx)')
    parser.add_argument('--out', type=Path, help="the file; default: the checkpoint's name with the format's suffix")
    parser.add_argument('--with-preprocessing', action='store_true', help='take pixels, uint8, and normalise them')
    parser.add_argument('--static-batch', action='store_true', help='take one clip; default: any number of clips')
    parser.add_argument('--unrolled', action='store_true', help="the solver's iterations one after the other")
    parser.add_argument('--clips', nargs='+', help='videos, folders or lists to compare on; default: rendered textures')
    parser.add_argument('--tolerance', type=float, default=TOLERANCE, help=f'largest difference ({TOLERANCE:g})')
    return parser.parse_args(argv)


def export_recognizer(recognizer: Recognizer, path: Path, args: argparse.Namespace) -> tuple[float, int]:
    """Write the file and compare its scores with the recognizer's own.

    Returns:
        tuple[float, int]: The largest difference of a score, and the number of clips that were compared.
    """
    network = ScoringNetwork(recognizer.model, args.with_preprocessing).eval()
    with _videos(args.clips) as videos:
        clips = [_views(recognizer, network, video) for video in videos]
    example = _input(network, clips[0][:1].repeat(1 if args.static_batch else 2, 1, 1, 1, 1))
    write_network(network, example, path, args.format, not args.static_batch, args.unrolled)
    run, differences = torch.no_grad()(load_network(path, args.format)), []
    for views in clips:
        expected = torch.cat([_own_scores(recognizer, network, view) for view in views])
        parts = views.split(1 if args.static_batch else len(views))
        found = torch.cat([run(_input(network, part)) for part in parts])
        differences.append(float((expected - found).abs().max()))
    return max(differences), sum(len(views) for views in clips)


@contextmanager
def _videos(given: Sequence[str] | None) -> Iterator[list[Path]]:
    """The videos that are given, or two of moving textures."""
    if given is not None:
        yield [video for place in given for video in find_videos(place)]
        return
    options = MotionClipOptions(train=1, val=2, size=256, length=64)
    with tempfile.TemporaryDirectory() as folder:
        videos = [Path(folder, f'{index}.mp4') for index in range(2)]
        for index, video in enumerate(videos):
            write_video(video, render_clip(options, 'val', index), fps=25)
        yield videos


def _views(recognizer: Recognizer, network: ScoringNetwork, video: Path) -> Tensor:
    """Views of a video, uint8: (M, C, T, H, W), or one of a Recognizer2D, (1, T, C, H, W)."""
    inputs = recognizer.pipeline()(recognizer.sample(filename=str(video)))['inputs']
    # A 2D pipeline gives the frames of all views in one dimension.
    length = getattr(network.backbone, 'num_segments', None) or len(inputs)
    return inputs[:length][None] if network.is_2d else inputs[:MOST_VIEWS]


def _input(network: ScoringNetwork, views: Tensor) -> Tensor:
    """What the exported network takes for views."""
    return views if network.with_preprocessing else network.normalize(views)


def _own_scores(recognizer: Recognizer, network: ScoringNetwork, view: Tensor) -> Tensor:
    """The recognizer's own scores of a view, (1, classes), by MMAction2's test step."""
    inputs = view if network.is_2d else view[None]
    return recognizer.scores([dict(inputs=inputs, data_samples=ActionDataSample())])


def preprocessing_note(recognizer: Recognizer, network_takes_pixels: bool) -> str:
    """What is left to whoever calls the exported network, in lines."""
    steps = [step for step in recognizer.dataset.pipeline if step['type'] != 'PackActionInputs']
    described = [f'  {step["type"]}({", ".join(f"{k}={v}" for k, v in step.items() if k != "type")})' for step in steps]
    preprocessor = recognizer.model.data_preprocessor
    mean, std = (getattr(preprocessor, name).flatten().tolist() for name in ('mean', 'std'))
    last = 'included: ' if network_takes_pixels else 'then '
    return '\n'.join(['before it, as in the config:', *described, f'{last}(pixels - {mean}) / {std}, by channel, RGB'])


def main(argv: Sequence[str] | None = None) -> int:
    """Export as the command line says; returns 1 if the file does not compute what the recognizer does."""
    args = parse_args(argv)
    with one_line_errors():
        check_format(args.format)
        checkpoint = checkpoint_of(args.checkpoint)
        path = args.out or Path(checkpoint).with_suffix(SUFFIXES[args.format])
        check_writable(path, 'file')
        recognizer = load_recognizer(args.config, checkpoint, device='cpu')
        path.parent.mkdir(parents=True, exist_ok=True)
        difference, count = export_recognizer(recognizer, path, args)
    sys.stdout.write(f'{preprocessing_note(recognizer, args.with_preprocessing)}\n')
    verdict = 'the same' if difference <= args.tolerance else 'NOT the same'
    sys.stdout.write(
        f'{path} ({path.stat().st_size / 2**20:.1f} MiB): {verdict} scores as the original on {count} clips; '
        f'largest difference {difference:.2g}, allowed {args.tolerance:g}\n'
    )
    return int(difference > args.tolerance)
