"""Something-Something, versions 1 and 2, as MMAction2 lists.

Version 1 has the files ``something-something-v1-labels.csv``, a class a line, and ``...-train.csv``,
``...-validation.csv``, lines ``id;class``, and ``...-test.csv``, lines ``id``; its clips are folders of frames
``1/00001.jpg``. Version 2 has ``labels.json``, a dict from class to label, and ``train.json``, ``validation.json`` and
``test.json``, lists of dicts with the ``id`` and, but for the test clips, the ``template``: the class with brackets
around what is filled in; in older archives these are called ``something-something-v2-train.json`` and so on. Its clips
are videos ``1.webm``. The archives are at qualcomm.com/developer/software/something-something-v-2-dataset; MMAction2
reads both versions in ``tools/data/parse_file_list.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from repflow_mm.datasets.list_makers.annotation_files import (
    annotation_file,
    check_new,
    clip_lists,
    needed_file,
    read_classes,
    read_items,
    read_json,
    read_semicolons,
)
from repflow_mm.datasets.list_makers.clip_files import ClipFiles
from repflow_mm.datasets.list_makers.making import make_lists

VERSIONS = (1, 2)
SUBSETS = {'train': 'train', 'val': 'validation', 'test': 'test'}


def make_something_something_lists(
    annotations: str | Path, out: str | Path, files: ClipFiles | None = None, version: int = 2
) -> dict:
    """Write lists of Something-Something, with MMAction2's names.

    Writes ``sthv2_train_list_videos.txt`` and ``sthv2_val_list_videos.txt`` (``sthv1``, and ``rawframes`` for folders
    of frames); ``sthv2_test_paths.txt``, the test clips without labels, if their file is there; and the other files of
    :func:`repflow_mm.datasets.list_makers.making.make_lists`, the labels that a flip exchanges among them.

    Args:
        annotations (str | Path): Folder of the official files.
        out (str | Path): Folder of the lists; it is made if it does not exist.
        files (ClipFiles, optional): The videos, or the folders of frames. Defaults to None, which does not look for
            them, and lists videos; version 1 needs them.
        version (int): 1 or 2. Defaults to 2.

    Returns:
        dict: The report.

    Raises:
        FileNotFoundError: If a folder or a file does not exist, or a list would be empty.
        ValueError: If the version is unknown, version 1 lacks ``files``, a file is malformed, or a clip is named twice.
    """
    if version not in VERSIONS:
        raise ValueError(f'version must be from {VERSIONS}, got {version!r}')
    if version == 1 and files is None:
        raise ValueError('version 1 has folders of frames, whose numbers of frames the lists need; say where they are')
    classes, subsets = (_read_csv if version == 1 else _read_json)(annotations)
    lists = clip_lists(subsets, files, '.webm')
    return make_lists(f'sthv{version}', out, classes, lists, files, flip=True)


def _read_csv(annotations: str | Path) -> tuple[list[str], dict[str, dict[str, int | None]]]:
    name = 'something-something-v1-{}.csv'.format
    classes = read_classes(needed_file(annotations, [name('labels')]))
    labels = {template: label for label, template in enumerate(classes)}
    subsets, seen = {}, {}
    for subset, official in SUBSETS.items():
        is_test = subset == 'test'
        file = (annotation_file if is_test else needed_file)(annotations, [name(official)])
        if file is not None:
            subsets[subset] = read_semicolons(file, labels, seen, labelled=not is_test)
    return classes, subsets


def _read_json(annotations: str | Path) -> tuple[list[str], dict[str, dict[str, int | None]]]:
    def names(part: str) -> list[str]:
        return [f'something-something-v2-{part}.json', f'{part}.json']

    file = needed_file(annotations, names('labels'))
    labels = read_json(file, dict)
    if {str(label) for label in labels.values()} != {str(label) for label in range(len(labels))}:
        raise ValueError(f'{file}: labels must be 0 to {len(labels) - 1}, got {list(labels.values())[:5]} ...')
    classes = sorted(labels, key=lambda name: int(labels[name]))
    subsets, seen = {}, {}
    for subset, official in SUBSETS.items():
        is_test = subset == 'test'
        file = (annotation_file if is_test else needed_file)(annotations, names(official))
        if file is not None:
            subsets[subset] = _read_clips(file, None if is_test else {name: int(labels[name]) for name in labels}, seen)
    return classes, subsets


def _read_clips(file: Path, labels: Mapping[str, int] | None, seen: dict[str, str]) -> dict[str, int | None]:
    clips = {}
    for place, item in read_items(file):
        clip, template = ('' if item.get(key) is None else str(item[key]) for key in ('id', 'template'))
        label = None if labels is None else labels.get(template.replace('[', '').replace(']', ''))
        if not clip or (labels is not None and label is None):
            raise ValueError(f'{place}: {item}: expected an id, and a template of the class file')
        check_new(clip, place, seen)
        clips[clip] = label
    return clips
