"""Video dataset that says what is wrong with an annotation list."""

from __future__ import annotations

import os.path as osp

from mmaction.datasets import VideoDataset
from mmaction.registry import DATASETS


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
        if not osp.isfile(self.ann_file):
            raise FileNotFoundError(f'annotation list {self.ann_file} does not exist')
        try:
            with open(self.ann_file, encoding='utf-8-sig') as file:
                lines = [(number, line.strip()) for number, line in enumerate(file, start=1) if line.strip()]
        except UnicodeDecodeError as error:
            raise ValueError(f'annotation list {self.ann_file} is no UTF-8 text: {error}') from None
        if not lines:
            raise ValueError(f'annotation list {self.ann_file} is empty')
        return [self._parse(number, line) for number, line in lines]

    def _parse(self, number: int, line: str) -> dict:
        place = f'{self.ann_file}, line {number}: {line!r}'
        path, separator, label = line.rpartition(self.delimiter)
        if not separator:
            raise ValueError(f"{place}: expected 'path{self.delimiter}label'")
        try:
            label = int(label)
        except ValueError:
            raise ValueError(f'{place}: the label must be an integer, got {label!r}') from None
        if label < 0 or (self.num_classes is not None and label >= self.num_classes):
            allowed = 'be >= 0' if self.num_classes is None else f'lie in [0, {self.num_classes})'
            raise ValueError(f'{place}: the label must {allowed}, got {label}')
        return dict(filename=osp.join(self.data_prefix['video'] or '', path), label=label)
