"""Inference from the command line: what a video, a folder of them, a list or a camera shows."""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from repflow_mm.apis.annotation import annotate_video, draw_timeline
from repflow_mm.apis.checkpoint import checkpoint_of
from repflow_mm.apis.command_line import one_line_errors
from repflow_mm.apis.predictions import (
    RATE,
    Prediction,
    Windows,
    predict_stream,
    predict_videos,
    predict_windows,
    video_features,
)
from repflow_mm.apis.recognizer import Recognizer, load_recognizer
from repflow_mm.apis.videos import find_videos
from repflow_mm.files import check_writable, completed, write_json, write_text
from repflow_mm.progress import progress_bar

FEATURES = ('pooled', 'maps')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of ``tools/infer.py``."""
    parser = argparse.ArgumentParser(description='Say what a video, the videos of a folder or list, or a camera show.')
    parser.add_argument('source', help="a video, a folder, an annotation list (.txt), or a camera's number")
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file, or the folder of a training, for its newest one')
    parser.add_argument('--classes', help="file of the classes' names, one a line; default: classes.txt by the list")
    parser.add_argument('--top', type=int, default=5, help='classes that are shown (default: 5)')
    parser.add_argument('--device', help='cpu, cuda, ...; default: a GPU if there is one')
    parser.add_argument('--batch-size', type=int, default=1, help='videos or windows at a time (default: 1)')
    parser.add_argument('--video-root', help="folder of a list's videos; default: the list's own")
    parser.add_argument('--allow-outside', action='store_true', help="take a list's paths that lead out of that folder")
    parser.add_argument('--json', type=Path, help='file of all scores')
    parser.add_argument('--csv', type=Path, help='table of the classes that are shown')
    parser.add_argument('--seconds', type=float, help='how long to look at a camera; default: until Ctrl-C')
    _add_groups(parser)
    args = parser.parse_args(argv)
    for flag in ('top', 'batch_size'):
        if getattr(args, flag) < 1:
            parser.error(f'--{flag.replace("_", "-")} must be >= 1, got {getattr(args, flag)}')
    return args


def _add_groups(parser: argparse.ArgumentParser) -> None:
    """Add the flags of sliding windows, and of files for each video."""
    slide = parser.add_argument_group('windows that slide over a video, in place of one prediction for all of it')
    slide.add_argument('--slide', action='store_true', help='as long as a clip, every half of it')
    slide.add_argument('--window', type=int, help='frames of a window')
    slide.add_argument('--stride', type=int, help='frames from one window to the next')
    show = parser.add_argument_group('files for each video, in a folder')
    show.add_argument('--annotate', type=Path, metavar='FOLDER', help='the video with its classes, mp4')
    show.add_argument('--timeline', type=Path, metavar='FOLDER', help='plot of the scores over time, png; slides')
    show.add_argument('--features', choices=FEATURES, help="the backbone's features of windows, npz, to --features-dir")
    show.add_argument('--features-dir', type=Path, default=Path('features'), help='default: %(default)s')


def top_line(prediction: Prediction, classes: Sequence[str], top: int) -> str:
    """A prediction in a line."""
    best = ', '.join(f'{classes[k]} {prediction.scores[k]:.3f}' for k in prediction.best(top))
    return f'{prediction.video} {prediction.start:.2f}-{prediction.end:.2f} s: {best}'


def as_json(prediction: Prediction, classes: Sequence[str], top: int) -> dict:
    """A prediction as what JSON can hold, with every score."""
    best = [dict(label=k, name=classes[k], score=float(prediction.scores[k])) for k in prediction.best(top)]
    place = dict(video=prediction.video, start=prediction.start, end=prediction.end)
    return dict(place, top=best, scores=[float(score) for score in prediction.scores])


def csv_lines(predictions: Sequence[Prediction], classes: Sequence[str], top: int) -> list[str]:
    """The table of predictions: a line for each of the best classes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(('video', 'start', 'end', 'rank', 'label', 'name', 'score'))
    for prediction in predictions:
        for rank, k in enumerate(prediction.best(top), start=1):
            place = prediction.video, f'{prediction.start:.3f}', f'{prediction.end:.3f}'
            writer.writerow((*place, rank, k, classes[k], f'{prediction.scores[k]:.6f}'))
    return text.getvalue().splitlines()


def camera_frames(number: int, seconds: float | None = None) -> tuple[float, Iterator[np.ndarray]]:
    """Frames per second of a camera, and its frames (H, W, 3), red first.

    Raises:
        OSError: If there is no such camera.
    """
    camera = cv2.VideoCapture(number)
    if not camera.isOpened():
        raise OSError(f'camera {number} cannot be opened')
    rate = camera.get(cv2.CAP_PROP_FPS) or RATE

    def frames() -> Iterator[np.ndarray]:
        try:
            for _ in range(round(seconds * rate)) if seconds else itertools.count():
                has_frame, frame = camera.read()
                if not has_frame:
                    return
                yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        finally:
            camera.release()

    return rate, frames()


def infer(recognizer: Recognizer, args: argparse.Namespace, show: Callable[[str], object]) -> dict[str, str]:
    """Predict what the command line says and write its files; returns the videos that failed, and why.

    Ctrl-C keeps what is predicted by then.
    """
    windows, predictions, failed = Windows(args.window, args.stride), [], {}
    if args.source.isdecimal() and not Path(args.source).exists():
        rate, frames = camera_frames(int(args.source), args.seconds)
        stream = predict_stream(recognizer, frames, rate, windows, f'camera {args.source}')
        with suppress(KeyboardInterrupt):  # which is how most of them end
            for prediction in _shown(stream, recognizer, args, show):
                predictions.append(prediction)
    else:
        try:
            _infer_videos(recognizer, args, windows, show, predictions, failed)
        except KeyboardInterrupt:
            _report(recognizer, args, predictions, failed)
            raise
    _report(recognizer, args, predictions, failed)
    return failed


def _infer_videos(recognizer, args, windows: Windows, show, predictions: list, failed: dict[str, str]) -> None:
    """Predict videos and write the files of each; predictions and failures are added as they come."""
    slides = args.slide or args.timeline is not None or (args.window, args.stride) != (None, None)
    videos = find_videos(args.source, args.video_root, args.allow_outside)
    groups = _groups(videos, 1 if slides else args.batch_size)
    for group in progress_bar(groups, desc='videos', disable=len(videos) < 2):
        for video, result in _predicted(recognizer, group, windows if slides else None, args.batch_size):
            if isinstance(result, Exception):
                failed[str(video)] = str(result)
                continue
            predictions += _shown(result, recognizer, args, show)
            _write_files(recognizer, args, video, result, windows)


def _groups(videos: Sequence[Path], size: int) -> list[Sequence[Path]]:
    return [videos[start : start + size] for start in range(0, len(videos), size)]


def _predicted(recognizer: Recognizer, group: Sequence[Path], windows: Windows | None, batch_size: int) -> Iterator:
    """Each video of a group with its predictions, or with what is wrong with it."""
    try:
        if windows is not None:
            yield group[0], list(predict_windows(recognizer, group[0], windows, batch_size))
        else:
            results = list(predict_videos(recognizer, group, batch_size))
            yield from ((video, [result]) for video, result in zip(group, results))
    except (OSError, ValueError) as error:
        if len(group) == 1:
            yield group[0], error
        else:
            for video in group:
                yield from _predicted(recognizer, [video], windows, batch_size)


def _shown(predictions, recognizer: Recognizer, args: argparse.Namespace, show) -> Iterator[Prediction]:
    for prediction in predictions:
        show(f'{top_line(prediction, recognizer.classes, args.top)}\n')
        yield prediction


def _write_files(recognizer, args, video: Path, predictions: Sequence[Prediction], windows: Windows) -> None:
    """The files of one video."""
    if args.annotate is not None:
        args.annotate.mkdir(parents=True, exist_ok=True)
        annotate_video(predictions, recognizer.classes, args.annotate / f'{_name(args, video)}.mp4', min(args.top, 3))
    if args.timeline is not None:
        args.timeline.mkdir(parents=True, exist_ok=True)
        draw_timeline(predictions, recognizer.classes, args.timeline / f'{_name(args, video)}.png', args.top)
    if args.features is not None:
        args.features_dir.mkdir(parents=True, exist_ok=True)
        arrays = video_features(recognizer, video, windows, args.batch_size, maps=args.features == 'maps')
        with completed(args.features_dir / f'{_name(args, video)}.npz') as temporary:
            np.savez(temporary, **arrays)


def _name(args: argparse.Namespace, video: Path) -> str:
    """Name of a video's files: its own, with its folders below the source, so that no two are the same."""
    source = Path(args.video_root or args.source)
    root = source if source.is_dir() else source.parent
    inside = video.relative_to(root) if video.is_relative_to(root) else Path(video.name)
    return '_'.join(inside.with_suffix('').parts)


def check_outputs(args: argparse.Namespace) -> None:
    """Raise OSError if a file or folder that the command line names cannot be written."""
    folders = dict(annotate=args.annotate, timeline=args.timeline)
    folders |= dict(features_dir=args.features_dir if args.features else None)
    for name, path in dict(json=args.json, csv=args.csv, **folders).items():
        if path is not None:
            check_writable(path, f'--{name.replace("_", "-")}')


def _report(recognizer: Recognizer, args: argparse.Namespace, predictions: list, failed: dict[str, str]) -> None:
    for file in filter(None, (args.json, args.csv)):
        file.parent.mkdir(parents=True, exist_ok=True)
    if args.json is not None:
        rows = [as_json(prediction, recognizer.classes, args.top) for prediction in predictions]
        what = dict(config=args.config, checkpoint=args.checkpoint, classes=list(recognizer.classes))
        write_json(args.json, dict(what, predictions=rows, failed=failed))
    if args.csv is not None:
        write_text(args.csv, csv_lines(predictions, recognizer.classes, args.top))


def main(argv: Sequence[str] | None = None) -> int:
    """Predict as the command line says; returns the number of videos that failed."""
    args = parse_args(argv)
    with one_line_errors():
        check_outputs(args)
        recognizer = load_recognizer(args.config, checkpoint_of(args.checkpoint), args.device, args.classes)
        failed = infer(recognizer, args, sys.stdout.write)
    for reason in failed.values():
        sys.stderr.write(f'error: {reason}\n')
    return len(failed)
