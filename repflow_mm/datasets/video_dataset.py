"""Datasets that say what is wrong with an annotation list, and go on where a file is broken."""

from __future__ import annotations

import logging
import os.path as osp
from collections.abc import Sequence
from typing import Any

from mmaction.datasets import RawframeDataset, VideoDataset
from mmaction.registry import DATASETS
from mmengine.logging import print_log

from repflow_mm.datasets.lists.list_files import ListEntry, check_inside, read_frame_list, read_video_list
from repflow_mm.datasets.replacing_dataset import ReplacingDataset


@DATASETS.register_module()
class CheckedVideoDataset(ReplacingDataset, VideoDataset):
    """MMAction2's VideoDataset, with errors that name the file, the line and the value.

    What becomes of a broken video says :class:`repflow_mm.datasets.replacing_dataset.ReplacingDataset`.

    Takes VideoDataset's arguments. With ``num_classes``, labels must be below it. Each line of ``ann_file`` is a
    video's path, relative to ``data_prefix['video']``, and its label, with ``multi_class`` its labels:
    ``train/clip.mp4 3``; paths may hold spaces. What is taken for a line is said in
    :mod:`repflow_mm.datasets.lists.list_files`; a ``delimiter`` of ``' '``, upstream's default, is any blanks.

    Args:
        with_offset (bool): Whether a line is a part of a video, as in lists of frames: ``train/clip.mp4 95 90 3`` are
            the 90 frames after the first 95, which ``VideoInit`` and ``VideoDecode`` take for the video. Defaults to
            False.
        allow_outside (bool): Whether a path may lead out of that folder (or, if it is empty, the working folder), as
            ``../clip.mp4`` and ``/data/clip.mp4`` do. Defaults to False.

    Raises:
        FileNotFoundError: If ``ann_file`` does not exist.
        ValueError: If it is empty, a line is malformed, contradicts another one or leads out of the folder,
            ``multi_class`` lacks ``num_classes``, or ``with_offset`` has a ``delimiter``.
    """

    def __init__(self, *args: Any, allow_outside: bool = False, with_offset: bool = False, **kwargs: Any) -> None:
        self.allow_outside, self.with_offset = allow_outside, with_offset
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read ``ann_file``: a dict of ``filename`` and ``label``, perhaps ``offset`` and ``total_frames``, a line."""
        _check_multi_class(self)
        delimiter = None if self.delimiter == ' ' else self.delimiter
        entries = read_video_list(self.ann_file, delimiter, self.num_classes, self.multi_class, self.with_offset)
        _tell_absent_labels(self, entries)
        root = self.data_prefix['video'] or ''
        check_inside(self.ann_file, [(entry.number, entry.path) for entry in entries], root, self.allow_outside)
        return [_sample(entry, filename=osp.join(root, entry.path), **_part(entry)) for entry in entries]

    def get_data_info(self, idx: int) -> dict:
        """A sample's data as upstream gives it, and ``place``: the list and its line, for errors."""
        return _with_place(self, super().get_data_info(idx))


@DATASETS.register_module()
class CheckedRawframeDataset(ReplacingDataset, RawframeDataset):
    """MMAction2's RawframeDataset, with errors that name the file, the line and the value.

    Takes RawframeDataset's arguments. Each line of ``ann_file`` is a folder of frames, relative to
    ``data_prefix['img']``, the number of its frames and its label: ``train/clip 300 3``.

    Args:
        allow_outside (bool): As for :class:`CheckedVideoDataset`. Defaults to False.

    Raises:
        FileNotFoundError: If ``ann_file`` does not exist.
        ValueError: As for :class:`CheckedVideoDataset`.
    """

    def __init__(self, *args: Any, allow_outside: bool = False, **kwargs: Any) -> None:
        self.allow_outside = allow_outside
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read ``ann_file``: a dict of ``frame_dir``, ``total_frames``, ``label``, perhaps ``offset`` for each line."""
        _check_multi_class(self)
        entries = read_frame_list(self.ann_file, self.with_offset, self.num_classes, self.multi_class)
        _tell_absent_labels(self, entries)
        root = self.data_prefix['img'] or ''
        check_inside(self.ann_file, [(entry.number, entry.path) for entry in entries], root, self.allow_outside)
        return [_sample(entry, frame_dir=osp.join(root, entry.path), **_part(entry)) for entry in entries]

    def get_data_info(self, idx: int) -> dict:
        """A sample's data as upstream gives it, and ``place``: the list and its line, for errors."""
        return _with_place(self, super().get_data_info(idx))


def _check_multi_class(dataset: VideoDataset | RawframeDataset) -> None:
    if dataset.multi_class and dataset.num_classes is None:
        raise ValueError(f'{dataset.ann_file}: multi_class=True needs num_classes, got None')


def _tell_absent_labels(dataset: VideoDataset | RawframeDataset, entries: Sequence[ListEntry]) -> None:
    """Warn of classes that a training has no sample of, as of labels that count from 1."""
    if dataset.test_mode or dataset.num_classes is None:
        return
    absent = set(range(dataset.num_classes)) - {label for entry in entries for label in entry.labels}
    if absent:
        counted = f'{len(absent)} of the labels 0 to {dataset.num_classes - 1}, the first is {min(absent)}'
        print_log(f'{dataset.ann_file}: no sample has {counted}', logger='current', level=logging.WARNING)


def _part(entry: ListEntry) -> dict[str, int]:
    """What a line says of the frames: their number, and that of those before them."""
    said = {name: getattr(entry, name, None) for name in ('offset', 'total_frames')}
    return {name: value for name, value in said.items() if value is not None}


def _sample(entry: ListEntry, **data: Any) -> dict:
    # Upstream takes several labels as an index of a vector of classes, which a tuple is not.
    label = list(entry.label) if isinstance(entry.label, tuple) else entry.label
    return dict(data, label=label, line_number=entry.number)


def _with_place(dataset: VideoDataset | RawframeDataset, data: dict) -> dict:
    return dict(data, place=f'{dataset.ann_file}, line {data.pop("line_number")}')
