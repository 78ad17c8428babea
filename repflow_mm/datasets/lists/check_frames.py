"""Check of the frames, or the flow, of a list by decoding them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from repflow_mm.datasets.bad_data import BadDataError
from repflow_mm.datasets.lists.list_check import check_entries
from repflow_mm.datasets.lists.list_files import check_inside, parse_frames, read_frame_list
from repflow_mm.datasets.lists.list_runs import FRAME_STATUSES, check_run
from repflow_mm.datasets.transforms.flow import CheckedRawFrameDecode, FlowFileDecode, check_last_image

# Frames that are in memory at a time.
FRAMES_AT_ONCE = 32


@dataclass(frozen=True)
class FrameLayout:
    """How a list names frames: the settings of MMAction2's ``RawframeDataset``, of the same names.

    Args:
        filename_tmpl (str): Name of an image; of flow, x or y is its first field. Defaults to ``'img_{:05}.jpg'``.
        modality (str): ``'RGB'`` or ``'Flow'``. Defaults to ``'RGB'``.
        with_offset (bool): Whether lines have an offset before the number of frames. Defaults to False.
        multi_class (bool): Whether lines may have several labels. Defaults to False.
        start_index (int): Number of the first frame. Defaults to 1.

    Raises:
        ValueError: If the modality is another one.
    """

    filename_tmpl: str = 'img_{:05}.jpg'
    modality: str = 'RGB'
    with_offset: bool = False
    multi_class: bool = False
    start_index: int = 1

    def __post_init__(self) -> None:
        if self.modality not in ('RGB', 'Flow'):
            raise ValueError(f"modality must be 'RGB' or 'Flow', got {self.modality!r}")


def check_frames(
    list_file: str | Path,
    frames: str | Path = '',
    out: str | Path | None = None,
    layout: FrameLayout | None = None,
    jobs: int | None = None,
    timeout: float = 120.0,
    retry: bool = False,
    allow_outside: bool = False,
) -> dict:
    """Decode all frames of a list and write the list of those lines that are whole; the frames are only read.

    A line is a folder of images or, of flow, a file that ``extract_flow --format mp4`` wrote. What is written is that
    of :func:`repflow_mm.datasets.lists.check_videos.check_videos`; a folder is checked again once files in it came,
    went or changed their names, not when one is overwritten. ``'short'`` are lines whose ``total_frames`` is more
    than there are.

    Args:
        list_file (str | Path): The list, lines ``frame_dir total_frames label``.
        frames (str | Path): Folder that the paths are relative to. Defaults to the working folder.
        out (str | Path, optional): Folder to write to. Defaults to the list's.
        layout (FrameLayout, optional): How frames are named. Defaults to its defaults.
        jobs (int, optional): Number of processes. Defaults to the number of usable cores.
        timeout (float): Seconds that 32 frames may take. Defaults to 120.
        retry (bool): Check again what an earlier run found bad. Defaults to False.
        allow_outside (bool): Whether paths may lead out of the folder. Defaults to False.

    Returns:
        dict: As for :func:`repflow_mm.datasets.lists.check_videos.check_videos`.

    Raises:
        FileNotFoundError: If the list or the folder does not exist.
        ValueError: If a line is malformed or leads out of the folder, or ``jobs`` or ``timeout`` is not allowed.
        OSError: If a file cannot be written or another run is checking the same list.
    """
    layout = layout or FrameLayout()
    jobs = check_run(frames, jobs, timeout)
    entries = read_frame_list(list_file, layout.with_offset, several=layout.multi_class)
    check_inside(list_file, [(entry.number, entry.path) for entry in entries], frames, allow_outside)
    work, settings = partial(_check, layout), asdict(layout)
    return check_entries(
        list_file, entries, frames, out, 'line', work, settings, jobs, timeout, retry, ('ok',), FRAME_STATUSES
    )


def _check(layout: FrameLayout, line: tuple[str, str], alive: Callable[[], None]) -> dict:
    """Read the frames of a line as training does."""
    text, path = line
    entry = parse_frames(0, text, layout.with_offset, layout.multi_class)
    is_file = layout.modality == 'Flow' and Path(path).is_file()
    decode = FlowFileDecode() if is_file else CheckedRawFrameDecode()
    sample = dict(frame_dir=path, total_frames=entry.total_frames, offset=entry.offset or 0)
    sample |= dict(filename_tmpl=layout.filename_tmpl, modality=layout.modality, start_index=layout.start_index)
    frames = 0
    try:
        if not is_file:
            check_last_image(sample)
        for first in range(0, entry.total_frames, FRAMES_AT_ONCE):
            numbers = np.arange(first, min(first + FRAMES_AT_ONCE, entry.total_frames))
            decode.transform({**sample, 'frame_inds': numbers + layout.start_index})
            frames += len(numbers)
            alive()
    except BadDataError as bad:
        return dict(status=bad.status, frames=frames, message=str(bad))
    return dict(status='ok', frames=frames, message='')
