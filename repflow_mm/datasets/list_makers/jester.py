"""Jester's hand gestures as MMAction2 lists.

The official files are ``jester-v1-labels.csv``, a class a line, ``jester-v1-train.csv`` and
``jester-v1-validation.csv``, lines ``id;class``, and ``jester-v1-test.csv``, lines ``id``; clips are folders of frames
``1/00001.jpg``. The archives are at qualcomm.com/developer/software/jester-dataset; MMAction2 reads them in
``tools/data/parse_file_list.py``.
"""

from __future__ import annotations

from pathlib import Path

from repflow_mm.datasets.list_makers.annotation_files import (
    annotation_file,
    clip_lists,
    needed_file,
    read_classes,
    read_semicolons,
)
from repflow_mm.datasets.list_makers.clip_files import ClipFiles
from repflow_mm.datasets.list_makers.making import make_lists


def make_jester_lists(annotations: str | Path, out: str | Path, files: ClipFiles) -> dict:
    """Write lists of Jester, with MMAction2's names.

    Writes ``jester_train_list_rawframes.txt`` and ``jester_val_list_rawframes.txt`` (``videos`` for videos made of the
    frames); ``jester_test_paths.txt``, the test clips without labels, if their file is there; and the other files of
    :func:`repflow_mm.datasets.list_makers.making.make_lists`, the labels that a flip exchanges among them.

    Args:
        annotations (str | Path): Folder of the official files.
        out (str | Path): Folder of the lists; it is made if it does not exist.
        files (ClipFiles): The folders of frames, or the videos.

    Returns:
        dict: The report.

    Raises:
        FileNotFoundError: If a folder or a file does not exist, or a list would be empty.
        ValueError: If a line is malformed, or a clip is named twice.
    """
    classes = read_classes(needed_file(annotations, ['jester-v1-labels.csv']))
    labels = {name: label for label, name in enumerate(classes)}
    seen = {}
    subsets = {
        'train': read_semicolons(needed_file(annotations, ['jester-v1-train.csv']), labels, seen),
        'val': read_semicolons(needed_file(annotations, ['jester-v1-validation.csv']), labels, seen),
    }
    test = annotation_file(annotations, ['jester-v1-test.csv'])
    if test is not None:
        subsets['test'] = read_semicolons(test, labels, seen, labelled=False)
    return make_lists('jester', out, classes, clip_lists(subsets, files, '.mp4'), files, flip=True)
