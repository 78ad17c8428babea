"""Folders of motion clips: mp4 files, list files and the parameters they were made with."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

from repflow_mm.datasets.motion_clips.clips import SPLITS, MotionClipOptions, render_clip
from repflow_mm.datasets.video_files import write_video
from repflow_mm.files import claim_folder, locked, write_text
from repflow_mm.ops.arguments import check_count
from repflow_mm.processes import start_worker, without_opencv_threads
from repflow_mm.progress import progress_bar

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
    check_count('jobs', jobs)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    with locked(out):
        parameters = {'generator_version': GENERATOR_VERSION, **asdict(options)}
        clear = partial(_delete_clips, out) if overwrite else None
        claim_folder(out, PARAMETERS_FILE, parameters, 'clips', 'or --overwrite to replace its clips', clear)
        for split in SPLITS:
            (out / split).mkdir(exist_ok=True)
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
    progress = partial(progress_bar, total=len(clips), desc=str(out), unit='clip', disable=not clips)
    jobs = min(jobs, len(clips))
    if jobs <= 1:
        for _ in progress(map(write, clips)):
            pass
        return
    context = multiprocessing.get_context('fork')
    with without_opencv_threads(), ProcessPoolExecutor(jobs, mp_context=context, initializer=start_worker) as pool:
        try:
            for _ in progress(pool.map(write, clips, chunksize=4)):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _write_clip(out: Path, options: MotionClipOptions, clip: tuple[str, int]) -> None:
    write_video(out / clip_path(options, *clip), render_clip(options, *clip), options.fps)
