"""Annotation files of data sets: which of their names is there, and what is in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from repflow_mm.datasets.list_makers.clip_files import Clip, ClipFiles
from repflow_mm.datasets.lists.list_files import read_lines


def annotation_file(folder: str | Path, names: Sequence[str]) -> Path | None:
    """The first of the names that is a file in the folder; None if none is.

    Raises:
        FileNotFoundError: If the folder does not exist.
    """
    if not Path(folder).is_dir():
        raise FileNotFoundError(f'folder of annotations {folder} does not exist')
    return next((path for path in (Path(folder, name) for name in names) if path.is_file()), None)


def needed_file(folder: str | Path, names: Sequence[str]) -> Path:
    """The first of the names that is a file in the folder.

    Raises:
        FileNotFoundError: If none is, or the folder does not exist.
    """
    file = annotation_file(folder, names)
    if file is None:
        raise FileNotFoundError(f'folder of annotations {folder} has no file {" or ".join(names)}')
    return file


def read_json(file: Path, kind: type) -> list | dict:
    """The list or dict in a JSON file.

    Raises:
        ValueError: If it is no JSON, or something else.
    """
    try:
        content = json.loads(file.read_text(encoding='utf-8-sig'))
    except ValueError as error:
        raise ValueError(f'{file} is no JSON: {error}') from None
    if not isinstance(content, kind) or not content:
        raise ValueError(f'{file}: expected a {kind.__name__} with something in it, got {str(content)[:60]}')
    return content


def read_items(file: Path) -> list[tuple[str, dict]]:
    """The dicts of a list in a JSON file, and the place of each for errors.

    Raises:
        ValueError: If it is no JSON, or something else.
    """
    items = [(f'{file}, entry {number}', item) for number, item in enumerate(read_json(file, list), start=1)]
    for place, item in items:
        if not isinstance(item, dict):
            raise ValueError(f'{place}: expected a dict, got {str(item)[:60]}')
    return items


def read_classes(file: Path) -> list[str]:
    """The classes of a file with a name a line, in the order of the labels.

    Raises:
        ValueError: If a name is there twice.
    """
    classes = {}
    for number, name in read_lines(file, 'class file'):
        if classes.setdefault(name, number) != number:
            raise ValueError(f'{file}, line {number}: {name!r} is on line {classes[name]} already')
    return list(classes)


def read_semicolons(
    file: Path, labels: Mapping[str, int], seen: dict[str, str], labelled: bool = True
) -> dict[str, int | None]:
    """The label of each clip of a file with lines ``id;class name``, or ``id`` where labels are not known.

    Args:
        file (Path): The file.
        labels (Mapping[str, int]): The label of each class name.
        seen (dict[str, str]): See :func:`check_new`.
        labelled (bool): Whether lines have a class name; what stands there is passed over otherwise. Defaults to True.

    Raises:
        ValueError: If a line is malformed, or a clip is named twice.
    """
    clips = {}
    for number, line in read_lines(file, 'split file'):
        place = f'{file}, line {number}'
        clip, _, name = (part.strip().strip('"') for part in line.partition(';'))
        if not clip or (labelled and name not in labels):
            raise ValueError(f"{place}: {line!r}: expected 'id;class name' with a name of the class file")
        check_new(clip, place, seen)
        clips[clip] = labels[name] if labelled else None
    return clips


def check_new(clip: str, place: str, seen: dict[str, str]) -> None:
    """Raise ValueError if a clip was named before, in this or another file of the data set.

    Args:
        clip (str): The clip.
        place (str): Where it is named.
        seen (dict[str, str]): The place of each clip before; this one is added.
    """
    if seen.setdefault(clip, place) != place:
        raise ValueError(f'{place}: {clip!r} is in {seen[clip]} already')


def clip_lists(subsets: Mapping[str, Mapping[str, int | None]], files: ClipFiles | None, suffix: str) -> dict:
    """Lists of clips that are known by an id, as :func:`repflow_mm.datasets.list_makers.making.make_lists` takes them.

    Args:
        subsets (Mapping[str, Mapping[str, int | None]]): For ``'train'`` and others the label of each id; a subset
            whose labels are not known becomes the list ``<subset>_paths``.
        files (ClipFiles, optional): Where they lie; tells whether the lists are of videos or of frames.
        suffix (str): The official videos' suffix, such as ``'.webm'``.
    """
    kind = ClipFiles.kind if files is None else files.kind
    suffix = suffix if kind == ClipFiles.kind else ''
    lists = {}
    for subset, clips in subsets.items():
        name = f'{subset}_paths' if None in clips.values() else f'{subset}_list_{kind}'
        lists[name] = [Clip(f'{clip}{suffix}', label, (clip,)) for clip, label in clips.items()]
    return lists
