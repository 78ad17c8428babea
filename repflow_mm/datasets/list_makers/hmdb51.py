"""HMDB51's three splits as MMAction2 lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from repflow_mm.datasets.list_makers.clip_files import Clip, ClipFiles
from repflow_mm.datasets.list_makers.making import CHOOSE_SPLITS, checked_splits, make_lists
from repflow_mm.datasets.lists.list_files import read_lines

NUM_CLASSES = 51
SPLITS = (1, 2, 3)
# What the official files' last column says.
SUBSETS = {'0': None, '1': 'train', '2': 'val'}
_SPLIT_FILE = re.compile(r'(?P<name>.+)_test_split(?P<split>[123])\.txt')


def make_hmdb51_lists(
    annotations: str | Path,
    out: str | Path,
    videos: str | Path | None = None,
    splits: Sequence[int] = SPLITS,
    suffix: str | None = None,
    classes: Sequence[str] | None = None,
) -> dict:
    """Write lists of HMDB51's splits, with MMAction2's names.

    Writes ``hmdb51_train_split_<k>_videos.txt`` and ``hmdb51_val_split_<k>_videos.txt`` (the official test videos),
    and the other files of :func:`repflow_mm.datasets.list_makers.making.make_lists`. Labels are the classes in
    alphabetical order.

    Videos are found in folders of classes or in one folder, whatever their suffix, and as converted copies name them:
    ``<name>_0.mp4``, or with other characters in place of blanks, brackets and exclamation marks.

    Args:
        annotations (str | Path): Folder of the official files ``<class>_test_split<k>.txt``, whose lines are a
            video's name and 1 (training), 2 (test) or 0 (neither).
        out (str | Path): Folder of the lists; it is made if it does not exist.
        videos (str | Path, optional): Folder of the videos. Videos that are not there are left out of the lists and
            reported. Defaults to None: paths are ``<class>/<video>``, and are not looked for.
        splits (Sequence[int]): Which of the splits 1, 2, 3. Defaults to all.
        suffix (str, optional): Replaces ``.avi`` where videos are not looked for. Defaults to None.
        classes (Sequence[str], optional): Some of the classes; labels follow their order here. Defaults to all 51.

    Returns:
        dict: The report, with ``unused``, the number of videos that each split leaves out.

    Raises:
        FileNotFoundError: If a folder or one of the split files does not exist, or a list would be empty.
        ValueError: If there are not 51 classes, one of ``classes`` is unknown or there twice, a line is malformed, or
            a video is named twice.
    """
    checked_splits(splits, SPLITS)
    annotations = Path(annotations)
    if not annotations.is_dir():
        raise FileNotFoundError(f'folder of annotations {annotations} does not exist')
    classes = _class_names(annotations) if classes is None else _chosen(annotations, classes)
    files = None if videos is None else ClipFiles(videos, loosely=True)
    lists, unused = {}, {}
    for split in splits:
        subsets = _read_split(annotations, classes, split, suffix)
        unused[str(split)] = len(subsets[None])
        for subset in ('train', 'val'):
            lists[f'{subset}_split_{split}_videos'] = subsets[subset]
    return make_lists('hmdb51', out, classes, lists, files, dict(unused=unused), advice=CHOOSE_SPLITS)


def _annotated(annotations: Path) -> list[str]:
    """The classes of the split files, alphabetical."""
    matches = (_SPLIT_FILE.fullmatch(file.name) for file in annotations.iterdir())
    return sorted({match['name'] for match in matches if match})


def _class_names(annotations: Path) -> list[str]:
    classes = _annotated(annotations)
    if len(classes) != NUM_CLASSES:
        some = ', '.join(classes[:5]) + (', ...' if len(classes) > 5 else '')
        raise ValueError(
            f'{annotations} must hold files <class>_test_split<k>.txt of {NUM_CLASSES} classes, found {len(classes)}'
            + (f': {some}' if classes else '')
            + '; for some of the classes, name them'
        )
    return classes


def _chosen(annotations: Path, classes: Sequence[str]) -> list[str]:
    there = _annotated(annotations)
    unknown = [name for name in classes if name not in there]
    if unknown:
        raise ValueError(f'{annotations} has no split files of the class {unknown[0]!r}; it has {", ".join(there)}')
    if not classes or len(set(classes)) < len(classes):
        raise ValueError(f'classes must be some names, each once, got {tuple(classes)}')
    return list(classes)


def _read_split(
    annotations: Path, classes: Sequence[str], split: int, suffix: str | None
) -> dict[str | None, list[Clip]]:
    """A split's training, test and unused videos."""
    subsets = {subset: [] for subset in SUBSETS.values()}
    for label, name in enumerate(classes):
        lines = _read_class(annotations / f'{name}_test_split{split}.txt')
        official = {PurePosixPath(video).stem for video in lines}
        for video, subset in lines.items():
            stem = PurePosixPath(video).stem
            # Converters that cut videos number the pieces, also where there is one.
            names = (stem, *({f'{stem}_0'} - official))
            path = f'{name}/{video if suffix is None else stem + suffix}'
            subsets[subset].append(Clip(path, label, names))
    return subsets


def _read_class(file: Path) -> dict[str, str | None]:
    """The subset of each video of a class."""
    lines, subsets = {}, {}
    for number, line in read_lines(file, 'split file'):
        video, _, subset = line.rpartition(' ')
        if not video or subset not in SUBSETS:
            allowed = ', '.join(SUBSETS)
            raise ValueError(f"{file}, line {number}: {line!r}: expected 'video' and one of {allowed}")
        video = video.strip()
        if video in lines:
            raise ValueError(f'{file}, line {number}: {video!r} is on line {lines[video]} already')
        lines[video], subsets[video] = number, SUBSETS[subset]
    return subsets
