"""Rendered data in the place of a data set that is not there, so that its pipeline gives what the network takes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from repflow_mm.datasets.flow.frames import FORMATS
from repflow_mm.datasets.motion_clips.clips import MotionClipOptions, render_clip
from repflow_mm.datasets.video_files import write_video

FPS = 25
LENGTH = 64


def rendered_dataset(dataset: dict, folder: Path, size: int) -> dict:
    """The config of a data set with one rendered clip of 64 square frames in place of its own samples.

    Args:
        dataset (dict): Config of a data set of videos, or of frames or flow in folders or files.
        folder (Path): An empty folder that takes the clip.
        size (int): Side of the frames in pixels, even and >= 8. It matters where the pipeline resizes nothing.

    Returns:
        dict: The config, changed where it says where the data are.

    Raises:
        ValueError: If the size is not allowed.
    """
    frames = render_clip(MotionClipOptions(train=1, val=1, size=size, length=LENGTH), 'train', 0)  # (T, H, W, 3)
    is_video = 'Rawframe' not in dataset['type']
    if is_video:
        line = 'clip.mp4 0'
        write_video(folder / 'clip.mp4', frames, FPS)
    else:
        name = _write_frames(dataset, folder, frames)
        line = f'{name} 0 {LENGTH} 0' if dataset.get('with_offset') else f'{name} {LENGTH} 0'
    (folder / 'list.txt').write_text(f'{line}\n')
    place = dict(
        ann_file=str(folder / 'list.txt'), data_root='', data_prefix={'video' if is_video else 'img': str(folder)}
    )
    return {**dataset, **place}


def _write_frames(dataset: dict, folder: Path, frames: np.ndarray) -> str:
    """Write a clip as frames, or its grey values as flow, in the layout that the pipeline reads; returns its name."""
    if dataset.get('modality') == 'Flow':
        in_file = any(step['type'] == 'FlowFileDecode' for step in dataset['pipeline'])
        kind = FORMATS['mp4' if in_file else 'jpg']
        kind.write(folder / f'clip{kind.suffix}', frames[..., :2].transpose(0, 3, 1, 2))  # (T, H, W, 2) -> (T, 2, H, W)
        return f'clip{kind.suffix}'
    (folder / 'clip').mkdir()
    _write_images(folder / 'clip', dataset.get('filename_tmpl', 'img_{:05}.jpg'), dataset.get('start_index', 1), frames)
    return 'clip'


def _write_images(folder: Path, template: str, first: int, frames: Iterable[np.ndarray]) -> None:
    for number, frame in enumerate(frames, start=first):
        (folder / template.format(number)).write_bytes(cv2.imencode('.jpg', frame)[1].tobytes())
