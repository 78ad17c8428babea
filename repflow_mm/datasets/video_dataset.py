"""Datasets that say what is wrong with an annotation list."""

from __future__ import annotations

import os.path as osp
from typing import Any

from mmaction.datasets import RawframeDataset, VideoDataset
from mmaction.registry import DATASETS

from repflow_mm.datasets.lists.list_files import check_inside, read_list


@DATASETS.register_module()
class CheckedVideoDataset(VideoDataset):
    """MMAction2's VideoDataset, with errors that name the file, the line and the value.

    Takes VideoDataset's arguments. With ``num_classes``, labels must be below it. Each line of ``ann_file`` is a
    video's path, relative to ``data_prefix['video']``, and its label: ``train/clip.mp4 3``; paths may hold spaces.

    Args:
        allow_outside (bool): Whether a path may lead out of that folder (or, if it is empty, the working folder), as
            ``../clip.mp4`` and ``/data/clip.mp4`` do. Defaults to False.

    Raises:
        FileNotFoundError: If ``ann_file`` does not exist.
        ValueError: If it is empty, or a line is malformed or leads out of the folder.
    """

    def __init__(self, *args: Any, allow_outside: bool = False, **kwargs: Any) -> None:
        self.allow_outside = allow_outside
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read ``ann_file``: one dict of ``filename`` and ``label`` for each line that is not blank."""
        root = self.data_prefix['video'] or ''
        if self.multi_class:
            samples = super().load_data_list()
            _check_joined(self.ann_file, [sample['filename'] for sample in samples], root, self.allow_outside)
            return samples
        entries = read_list(self.ann_file, self.delimiter, self.num_classes)
        check_inside(self.ann_file, [(entry.number, entry.path) for entry in entries], root, self.allow_outside)
        return [dict(filename=osp.join(root, entry.path), label=entry.label) for entry in entries]


@DATASETS.register_module()
class CheckedRawframeDataset(RawframeDataset):
    """MMAction2's RawframeDataset, whose list names nothing outside of its folder ``data_prefix['img']``.

    Args:
        allow_outside (bool): As for :class:`CheckedVideoDataset`. Defaults to False.

    Raises:
        FileNotFoundError: If ``ann_file`` does not exist.
        ValueError: If a line leads out of the folder.
    """

    def __init__(self, *args: Any, allow_outside: bool = False, **kwargs: Any) -> None:
        self.allow_outside = allow_outside
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read ``ann_file``: one dict of ``frame_dir``, ``total_frames`` and ``label`` for each line."""
        samples = super().load_data_list()
        root = self.data_prefix['img'] or ''
        _check_joined(self.ann_file, [sample['frame_dir'] for sample in samples], root, self.allow_outside)
        return samples


def _check_joined(file: str, paths: list[str], root: str, allow_outside: bool) -> None:
    """:func:`check_inside` of what upstream reads, one sample a line, its path joined to the folder."""
    relative = (osp.relpath(path, root or '.') for path in paths)
    check_inside(file, enumerate(relative, start=1), root, allow_outside)
