"""Video dataset that says what is wrong with an annotation list."""

from __future__ import annotations

import os.path as osp

from mmaction.datasets import VideoDataset
from mmaction.registry import DATASETS

from repflow_mm.datasets.lists.list_files import read_list


@DATASETS.register_module()
class CheckedVideoDataset(VideoDataset):
    """MMAction2's VideoDataset, with errors that name the file, the line and the value.

    Takes VideoDataset's arguments. With ``num_classes``, labels must be below it. Each line of ``ann_file`` is a
    video's path, relative to ``data_prefix['video']``, and its label: ``train/clip.mp4 3``; paths may hold spaces.

    Raises:
        FileNotFoundError: If ``ann_file`` does not exist.
        ValueError: If it is empty, or a line is malformed.
    """

    def load_data_list(self) -> list[dict]:
        """Read ``ann_file``: one dict of ``filename`` and ``label`` for each line that is not blank."""
        if self.multi_class:
            return super().load_data_list()
        entries = read_list(self.ann_file, self.delimiter, self.num_classes)
        root = self.data_prefix['video'] or ''
        return [dict(filename=osp.join(root, entry.path), label=entry.label) for entry in entries]
