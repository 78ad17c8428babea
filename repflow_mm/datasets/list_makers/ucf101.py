"""UCF101's three splits as MMAction2 lists."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from repflow_mm.datasets.list_makers.annotation_files import check_new
from repflow_mm.datasets.list_makers.clip_files import Clip, ClipFiles
from repflow_mm.datasets.list_makers.making import CHOOSE_SPLITS, checked_splits, make_lists
from repflow_mm.datasets.lists.list_files import read_lines

SPLITS = (1, 2, 3)
# The official subset of each list.
SUBSETS = {'train': 'train', 'val': 'test'}
_VIDEO = re.compile(r'(?P<name>[^/\s]+)/(?P<video>[^/\s]+\.\w+)(?:\s+(?P<label>\d+))?')


def make_ucf101_lists(
    annotations: str | Path, out: str | Path, videos: str | Path | None = None, splits: Sequence[int] = SPLITS
) -> dict:
    """Write lists of UCF101's splits, with MMAction2's names.

    Writes ``ucf101_train_split_<k>_videos.txt`` and ``ucf101_val_split_<k>_videos.txt`` (the official test videos), and
    the other files of :func:`repflow_mm.datasets.list_makers.making.make_lists`. Videos are found in folders of classes
    or in one folder, whatever their suffix and the case of their names (``v_HandStandPushups_g01_c01.avi`` is of the
    class HandstandPushups).

    The official archive ``UCF101TrainTestSplits-RecognitionTask.zip`` (crcv.ucf.edu/data/UCF101.php) holds
    ``classInd.txt``, lines ``1 ApplyEyeMakeup``; ``trainlist01.txt`` ..., lines
    ``ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1``; and ``testlist01.txt`` ..., the same without the label. MMAction2
    reads them in ``tools/data/parse_file_list.py``.

    Args:
        annotations (str | Path): Folder of the official files.
        out (str | Path): Folder of the lists; it is made if it does not exist.
        videos (str | Path, optional): Folder of the videos. Videos that are not there are left out of the lists and
            reported. Defaults to None: paths are ``<class>/<video>``, and are not looked for.
        splits (Sequence[int]): Which of the splits 1, 2, 3. Defaults to all.

    Returns:
        dict: The report.

    Raises:
        FileNotFoundError: If a folder or one of the files does not exist, or a list would be empty.
        ValueError: If a line is malformed, a label is not its class's, or a video is named twice.
    """
    checked_splits(splits, SPLITS)
    annotations = Path(annotations)
    classes = _class_names(annotations / 'classInd.txt')
    labels = {name: label for label, name in enumerate(classes)}
    files = None if videos is None else ClipFiles(videos, loosely=True)
    lists = {}
    for split in splits:
        seen = {}
        for subset, official in SUBSETS.items():
            file = annotations / f'{official}list{split:02}.txt'
            lists[f'{subset}_split_{split}_videos'] = _read(file, labels, seen)
    return make_lists('ucf101', out, classes, lists, files, advice=CHOOSE_SPLITS)


def _class_names(file: Path) -> list[str]:
    """The classes, in the order of their numbers, which count from 1 on."""
    classes = []
    for number, line in read_lines(file, 'class file'):
        index, _, name = line.partition(' ')
        if index != str(len(classes) + 1) or not name.strip():
            raise ValueError(f"{file}, line {number}: {line!r}: expected '{len(classes) + 1} name'")
        classes.append(name.strip())
    return classes


def _read(file: Path, labels: Mapping[str, int], seen: dict[str, str]) -> list[Clip]:
    clips = []
    for number, line in read_lines(file, 'split file'):
        place, match = f'{file}, line {number}', _VIDEO.fullmatch(line)
        if not match or match['name'] not in labels:
            raise ValueError(
                f"{place}: {line!r}: expected 'class/v_class_g01_c01.avi', perhaps with the class's number"
            )
        name, video = match['name'], match['video']
        if match['label'] and int(match['label']) != labels[name] + 1:
            raise ValueError(f'{place}: {line!r}: {name} has the number {labels[name] + 1} in classInd.txt')
        check_new(video, place, seen)
        clips.append(Clip(f'{name}/{video}', labels[name], (PurePosixPath(video).stem,)))
    return clips
