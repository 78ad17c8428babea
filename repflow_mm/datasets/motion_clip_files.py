"""Folders of motion clips: mp4 files, list files and the parameters they were made with."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from repflow_mm.datasets.motion_clips import SPLITS, MotionClipOptions, render_clip
from repflow_mm.files import locked, temporary_name, write_text
from repflow_mm.processes import start_worker

PARAMETERS_FILE = 'dataset.json'
CLASSES_FILE = 'classes.txt'
# Goes into dataset.json; to be raised whenever the same options no longer give the same clips.
GENERATOR_VERSION = 1


def make_motion_clips(
    out: str | Path, options: MotionClipOptions, jobs: int | None = None, overwrite: bool = False
) -> int:
    """Write the clips and MMAction2 list files of ``options`` into a folder.

    Layout: ``train/<class>_<number>.mp4`` and ``val/...``; ``train.txt`` and ``val.txt`` for MMAction2's
    ``VideoDataset`` with ``data_prefix=dict(video=out)``; ``classes.txt``, a name a line in the order of the labels;
    ``dataset.json``, the parameters. Every file appears under its name only when it is complete, the lists last; a
    run that was interrupted goes on where it stopped.

    Args:
        out (str | Path): The folder; it is made if it does not exist.
        options (MotionClipOptions): What the clips are made of.
        jobs (int, optional): Number of processes. Defaults to the number of usable cores.
        overwrite (bool): Delete the clips of an earlier run and start anew. Defaults to False.

    Returns:
        int: Number of clips written by this run.

    Raises:
        ValueError: If the folder holds something else or clips of other parameters, or ``jobs`` < 1.
        OSError: If a file cannot be written or another run is writing to the folder.
    """
    jobs = len(os.sched_getaffinity(0)) if jobs is None else jobs
    if jobs < 1:
        raise ValueError(f'jobs must be >= 1, got {jobs}')
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    with locked(out):
        _claim_folder(out, options, overwrite)
        missing = [clip for clip in _clips(options) if not (out / clip_path(options, *clip)).exists()]
        _write_clips(out, options, missing, jobs)
        write_text(out / CLASSES_FILE, options.classes)
        for split in SPLITS:
            write_text(out / f'{split}.txt', list_lines(options, split))
    return len(missing)


def clip_path(options: MotionClipOptions, split: str, index: int) -> str:
    """Path of a clip relative to its folder, e.g. ``'train/left_00003.mp4'``, the number counting its class."""
    number, label = divmod(index, len(options.classes))
    return f'{split}/{options.classes[label]}_{number:05d}.mp4'


def list_lines(options: MotionClipOptions, split: str) -> list[str]:
    """Lines of the list file of a split: path and label."""
    return [f'{clip_path(options, split, i)} {i % len(options.classes)}' for i in range(options.count(split))]


def write_video(path: str | Path, frames: np.ndarray, fps: int) -> None:
    """Write an mp4 file (MPEG-4 part 2); it appears under its name only when all of it can be read back.

    Args:
        path (str | Path): The file, in a folder that exists.
        frames (np.ndarray): (T, H, W, 3), uint8, in OpenCV's order of colours; H and W even.
        fps (int): Frames per second.

    Raises:
        OSError: If the file cannot be opened for writing, or is incomplete afterwards.
    """
    path = Path(path)
    temporary = temporary_name(path)
    try:
        height, width = frames.shape[1:3]
        writer = cv2.VideoWriter(str(temporary), cv2.VideoWriter_fourcc(*'mp4v'), fps, (width, height))
        if not writer.isOpened():
            raise OSError(
                f'cannot write {path}: OpenCV cannot open an mp4 file there. Is the folder writable, the disk full, '
                f'or opencv built without FFmpeg?'
            )
        for frame in frames:
            writer.write(frame)
        writer.release()
        # VideoWriter reports no errors: a full disk shows only on reading back.
        readable = _count_frames(temporary)
        if readable != len(frames):
            raise OSError(f'cannot write {path}: {readable} of {len(frames)} frames can be read back. Disk full?')
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _count_frames(path: Path) -> int:
    if not path.exists() or not path.stat().st_size:
        return 0
    reader = cv2.VideoCapture(str(path))
    count = 0
    while reader.read()[0]:
        count += 1
    reader.release()
    return count


def _claim_folder(out: Path, options: MotionClipOptions, overwrite: bool) -> None:
    """See that the folder is empty or holds clips of these options, and leave the options there."""
    file = out / PARAMETERS_FILE
    # Through JSON, so that tuples compare equal to the lists they come back as.
    parameters = json.loads(json.dumps({'generator_version': GENERATOR_VERSION, **asdict(options)}))
    others = [entry.name for entry in out.iterdir() if not entry.name.startswith('.')]
    if others and not file.exists():
        raise ValueError(f'{out} holds {sorted(others)[:5]} but no {PARAMETERS_FILE}; take an empty folder')
    if file.exists():
        if overwrite:
            _delete_clips(out)
        else:
            _check_same(file, parameters)
    for split in SPLITS:
        (out / split).mkdir(exist_ok=True)
    write_text(file, [json.dumps(parameters, indent=2)])


def _check_same(file: Path, parameters: dict) -> None:
    advice = 'Take another folder, or --overwrite to replace its clips.'
    try:
        found = dict(json.loads(file.read_text()))
    except (ValueError, TypeError) as error:
        raise ValueError(f'{file} cannot be read ({error}). {advice}') from None
    names = [name for name in {**parameters, **found} if found.get(name) != parameters.get(name)]
    if names:
        differences = ', '.join(f'{name}={found.get(name)!r} (now {parameters.get(name)!r})' for name in names)
        raise ValueError(f'{file.parent} holds clips made with {differences}. {advice}')


def _delete_clips(out: Path) -> None:
    # The lists first, so that none names a clip that is gone.
    for name in (*(f'{split}.txt' for split in SPLITS), CLASSES_FILE):
        (out / name).unlink(missing_ok=True)
    for split in SPLITS:
        for path in (out / split).glob('*.mp4'):
            path.unlink()


def _clips(options: MotionClipOptions) -> list[tuple[str, int]]:
    return [(split, index) for split in SPLITS for index in range(options.count(split))]


def _write_clips(out: Path, options: MotionClipOptions, clips: Sequence[tuple[str, int]], jobs: int) -> None:
    write = partial(_write_clip, out, options)
    # To a log file, a line now and then instead of a moving bar.
    interval = 0.1 if sys.stderr.isatty() else 30
    progress = partial(tqdm, total=len(clips), desc=str(out), unit='clip', mininterval=interval, disable=not clips)
    jobs = min(jobs, len(clips))
    if jobs <= 1:
        for _ in progress(map(write, clips)):
            pass
        return
    context = multiprocessing.get_context('fork')
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=start_worker) as pool:
        try:
            for _ in progress(pool.map(write, clips, chunksize=4)):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _write_clip(out: Path, options: MotionClipOptions, clip: tuple[str, int]) -> None:
    write_video(out / clip_path(options, *clip), render_clip(options, *clip), options.fps)
