"""Diving48, version 2, as MMAction2 lists.

The official files are ``Diving48_V2_train.json`` and ``Diving48_V2_test.json``, lists of dicts with ``vid_name`` and
``label`` (and ``start_frame``, ``end_frame``), and ``Diving48_vocab.json``, for each label the four parts of a dive,
such as ``["Back", "15som", "05Twis", "FREE"]``; videos are ``<vid_name>.mp4``. The archives are at
svcl.ucsd.edu/projects/resound/dataset.html; MMAction2 fetches and reads them in ``tools/data/diving48``.
"""

from __future__ import annotations

from pathlib import Path

from repflow_mm.datasets.list_makers.annotation_files import check_new, clip_lists, needed_file, read_items, read_json
from repflow_mm.datasets.list_makers.clip_files import ClipFiles
from repflow_mm.datasets.list_makers.making import make_lists

SUBSETS = {'train': 'train', 'val': 'test'}


def make_diving48_lists(annotations: str | Path, out: str | Path, files: ClipFiles | None = None) -> dict:
    """Write lists of Diving48 (version 2), with MMAction2's names.

    Writes ``diving48_train_list_videos.txt`` and ``diving48_val_list_videos.txt``, the official test videos
    (``rawframes`` for folders of frames), and the other files of
    :func:`repflow_mm.datasets.list_makers.making.make_lists`. A class's name is its parts: ``Back 15som 05Twis FREE``.

    Args:
        annotations (str | Path): Folder of the official files.
        out (str | Path): Folder of the lists; it is made if it does not exist.
        files (ClipFiles, optional): The videos, or folders of frames. Defaults to None, which does not look for them.

    Returns:
        dict: The report.

    Raises:
        FileNotFoundError: If a folder or a file does not exist, or a list would be empty.
        ValueError: If a file is malformed, or a clip is named twice.
    """
    vocabulary = needed_file(annotations, ['Diving48_vocab.json'])
    classes = [_name(f'{vocabulary}, entry {k}', parts) for k, parts in enumerate(read_json(vocabulary, list), start=1)]
    subsets, seen = {}, {}
    for subset, official in SUBSETS.items():
        file = needed_file(annotations, [f'Diving48_V2_{official}.json'])
        subsets[subset] = _read(file, len(classes), seen)
    return make_lists('diving48', out, classes, clip_lists(subsets, files, '.mp4'), files)


def _name(place: str, parts: object) -> str:
    """The name of a class of one part, or of several."""
    parts = parts if isinstance(parts, list) else [parts]
    if not parts or not all(isinstance(part, str) for part in parts):
        raise ValueError(f'{place}: expected the parts of a dive, got {parts}')
    return ' '.join(parts)


def _read(file: Path, num_classes: int, seen: dict[str, str]) -> dict[str, int]:
    clips = {}
    for place, item in read_items(file):
        clip, label = item.get('vid_name'), item.get('label')
        if not clip or not isinstance(clip, str) or not isinstance(label, int) or not 0 <= label < num_classes:
            raise ValueError(f'{place}: {item}: expected a vid_name, and a label from 0 to {num_classes - 1}')
        check_new(clip, place, seen)
        clips[clip] = label
    return clips
