"""HMDB51's three splits as MMAction2 lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from repflow_mm.datasets.lists.list_files import missing_files, read_lines
from repflow_mm.files import write_json, write_text

NUM_CLASSES = 51
SPLITS = (1, 2, 3)
# What the official files' last column says.
SUBSETS = {'0': None, '1': 'train', '2': 'val'}
# 70 and 30 videos of each class.
OFFICIAL_COUNTS = {'train': 3570, 'val': 1530}
CLASSES_FILE = 'hmdb51_classes.txt'
REPORT_FILE = 'hmdb51_report.json'
_SPLIT_FILE = re.compile(r'(?P<name>.+)_test_split(?P<split>[123])\.txt')


def make_hmdb51_lists(
    annotations: str | Path,
    out: str | Path,
    videos: str | Path | None = None,
    splits: Sequence[int] = SPLITS,
    suffix: str | None = None,
) -> dict[str, dict]:
    """Write lists of HMDB51's splits, with MMAction2's names and paths ``<class>/<video>``.

    Writes ``hmdb51_train_split_<k>_videos.txt`` and ``hmdb51_val_split_<k>_videos.txt`` (the official test videos),
    ``hmdb51_classes.txt`` (a name a line, alphabetical, in the order of the labels) and ``hmdb51_report.json``.

    Args:
        annotations (str | Path): Folder of the official files ``<class>_test_split<k>.txt``, whose lines are a
            video's name and 1 (training), 2 (test) or 0 (neither).
        out (str | Path): Folder of the lists; it is made if it does not exist.
        videos (str | Path, optional): Folder of the videos, a folder for each class. Videos that are not there are
            left out of the lists and reported. Defaults to None, which does not look for them.
        splits (Sequence[int]): Which of the splits 1, 2, 3. Defaults to all.
        suffix (str, optional): Replaces ``.avi``, for converted videos. Defaults to None.

    Returns:
        dict[str, dict]: For each list, ``'train_1'`` ..., its ``found``, ``missing`` (paths, or None if not looked
        for), ``unused`` (official 0) and ``official`` counts.

    Raises:
        FileNotFoundError: If a folder or one of the split files does not exist.
        ValueError: If there are not 51 classes, a line is malformed, or a video is named twice.
    """
    if not splits or any(split not in SPLITS for split in splits):
        raise ValueError(f'splits must be from {SPLITS}, got {tuple(splits)}')
    for kind, folder in (('annotations', annotations), ('videos', videos)):
        if folder is not None and not Path(folder).is_dir():
            raise FileNotFoundError(f'folder of {kind} {folder} does not exist')
    annotations, out = Path(annotations), Path(out)
    classes = _class_names(annotations)
    out.mkdir(parents=True, exist_ok=True)
    lists, report = {}, {}
    for split in splits:
        subsets = _read_split(annotations, classes, split, suffix)
        for subset in OFFICIAL_COUNTS:
            missing = _missing(subsets[subset], videos, f'{subset}_{split}: looking for files')
            left_out = set(missing or ())
            found = [entry for entry in subsets[subset] if entry[0] not in left_out]
            lists[out / f'hmdb51_{subset}_split_{split}_videos.txt'] = found
            report[f'{subset}_{split}'] = dict(
                found=len(found), missing=missing, unused=len(subsets[None]), official=OFFICIAL_COUNTS[subset]
            )
    write_text(out / CLASSES_FILE, classes)
    for file, entries in lists.items():
        write_text(file, [f'{path} {label}' for path, label in entries])
    write_json(out / REPORT_FILE, report)
    return report


def _class_names(annotations: Path) -> list[str]:
    """The classes of the split files, alphabetical."""
    matches = (_SPLIT_FILE.fullmatch(file.name) for file in annotations.iterdir())
    classes = sorted({match['name'] for match in matches if match})
    if len(classes) != NUM_CLASSES:
        some = ', '.join(classes[:5]) + (', ...' if len(classes) > 5 else '')
        raise ValueError(
            f'{annotations} must hold files <class>_test_split<k>.txt of {NUM_CLASSES} classes, found {len(classes)}'
            + (f': {some}' if classes else '')
        )
    return classes


def _read_split(
    annotations: Path, classes: Sequence[str], split: int, suffix: str | None
) -> dict[str | None, list[tuple[str, int]]]:
    """The paths and labels of a split's training, test and unused videos."""
    subsets = {subset: [] for subset in SUBSETS.values()}
    for label, name in enumerate(classes):
        file, seen = annotations / f'{name}_test_split{split}.txt', {}
        for number, line in read_lines(file, 'split file'):
            video, _, subset = line.rpartition(' ')
            if not video or subset not in SUBSETS:
                allowed = ', '.join(SUBSETS)
                raise ValueError(f"{file}, line {number}: {line!r}: expected 'video' and one of {allowed}")
            video = video.strip()
            if video in seen:
                raise ValueError(f'{file}, line {number}: {video!r} is on line {seen[video]} already')
            seen[video] = number
            path = f'{name}/{video if suffix is None else Path(video).stem + suffix}'
            subsets[SUBSETS[subset]].append((path, label))
    return subsets


def _missing(entries: list[tuple[str, int]], videos: str | Path | None, title: str) -> list[str] | None:
    """The paths that have no file; None if files are not looked for."""
    if videos is None:
        return None
    missing = missing_files(videos, (path for path, _ in entries), title)
    if len(missing) == len(entries):
        raise FileNotFoundError(f'{videos} has none of the videos; the first was looked for as {missing[0]}')
    return missing
