"""Tiny-Kinetics: the paper's 150 classes of Kinetics-400, with all of their clips."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from repflow_mm.datasets.list_makers.clip_files import squash
from repflow_mm.datasets.lists.list_files import ListEntry, check_unique, missing_files, read_lines, read_list
from repflow_mm.files import write_json, write_text

# The authors' lists of February 2019 (their repository, data/kinetics/minikinetics_{train,val}.json).
AUTHORS_COUNTS = {'train': 86365, 'val': 7102}
REPORT_FILE = 'tiny_kinetics_report.json'
_KINETICS_CLIP = re.compile(r'.{11}_\d{6}_\d{6}')


@dataclass(frozen=True)
class SplitCounts:
    """What became of the clips of a list.

    Attributes:
        listed: Lines of the user's list.
        found: Clips of the 150 classes that are in the new list.
        missing: Clips of the 150 classes that are listed but have no file; None if files were not looked for.
        left_out: Clips of other classes.
        authors: Clips of the authors' list.
        per_class: Found clips of each class, in the order of the labels.
    """

    listed: int
    found: int
    missing: int | None
    left_out: int
    authors: int
    per_class: dict[str, int]

    def summary(self, split: str) -> str:
        """One line for the terminal."""
        missing = 'not looked for' if self.missing is None else self.missing
        return (
            f"{split}: {self.found:,} clips found of the authors' {self.authors:,} "
            f'({self.found / self.authors:.1%}); missing: {missing}, left out (other classes): {self.left_out:,}'
        )


def tiny_kinetics_classes() -> tuple[str, ...]:
    """The 150 class names in the authors' order: the label is the index."""
    text = resources.files('repflow_mm.datasets').joinpath('data', 'tiny_kinetics_classes.txt')
    return tuple(text.read_text(encoding='utf-8').splitlines())


def make_tiny_kinetics(
    lists: Mapping[str, str | Path],
    out: str | Path,
    videos: Mapping[str, str | Path] | None = None,
    class_file: str | Path | None = None,
) -> dict[str, SplitCounts]:
    """Write Tiny-Kinetics lists made from lists of Kinetics-400.

    Writes ``tiny_kinetics_<split>_list_videos.txt`` with the paths as they are in the user's list and the labels in
    the authors' order, ``tiny_kinetics_<split>_missing.txt`` (listed, but without a file) and
    ``tiny_kinetics_report.json``.

    Args:
        lists (Mapping[str, str | Path]): For ``'train'`` and ``'val'``, or one of them, the Kinetics-400 list in
            MMAction2's form: lines ``path label``.
        out (str | Path): Folder of the new lists; it is made if it does not exist.
        videos (Mapping[str, str | Path], optional): For each split the folder that its paths are relative to. Clips
            without a file are left out of the new list. Defaults to None, which does not look for files.
        class_file (str | Path, optional): The names behind the lists' labels, see :func:`read_class_names`.
            Defaults to None, which takes the name of each video's folder (``abseiling/clip.mp4``).

    Returns:
        dict[str, SplitCounts]: The counts of each split.

    Raises:
        FileNotFoundError: If a list, the class file or a folder does not exist.
        ValueError: If a line is malformed, a clip is listed twice, a label has no name, or one of the 150 classes
            has no clip.
    """
    unknown = set(lists) - set(AUTHORS_COUNTS)
    if unknown or not lists:
        raise ValueError(f'lists must be of splits from {tuple(AUTHORS_COUNTS)}, got {tuple(lists)}')
    names = None if class_file is None else read_class_names(class_file)
    chosen = {split: _choose(file, names, class_file) for split, file in lists.items()}
    _check_no_overlap(lists, chosen)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    results = {split: _split_missing(split, file, chosen[split][1], videos) for split, file in lists.items()}
    counts = {}
    for split, (found, missing) in results.items():
        counts[split] = _count(split, chosen[split][0], chosen[split][1], found, missing)
        missing_lines = [] if missing is None else [entry.path for entry in missing]
        write_text(out / f'tiny_kinetics_{split}_missing.txt', missing_lines)
        write_text(out / f'tiny_kinetics_{split}_list_videos.txt', [entry.line for entry in found])
    report = {split: vars(count) for split, count in counts.items()}
    write_json(out / REPORT_FILE, report)
    return counts


def read_class_names(file: str | Path) -> dict[int, str]:
    """The names behind Kinetics-400's labels.

    Args:
        file (str | Path): One of: a text file with a name a line, in the order of the labels (MMAction2's
            ``label_map_k400.txt``); a ``.csv`` file of lines ``id,name``; a ``.json`` file with a list of names, or
            a dict from name to label.

    Returns:
        dict[int, str]: Label to name.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it has another form or two names for a label, or lacks one of the 150 classes.
    """
    lines = read_lines(file, 'class file')
    suffix = Path(file).suffix.lower()
    if suffix == '.json':
        pairs = _json_pairs(file)
    elif suffix == '.csv':
        rows = [row for row in csv.reader(line for _, line in lines) if row[0].strip().lower() not in ('id', 'label')]
        pairs = [(row[0], row[1] if len(row) == 2 else None) for row in rows]
    else:
        pairs = [(index, name) for index, (_, name) in enumerate(lines)]
    names = {}
    for label, name in pairs:
        if not str(label).strip().isdigit() or not isinstance(name, str):
            raise ValueError(f'class file {file}: expected a label and a name, got {label!r} and {name!r}')
        if names.setdefault(int(label), name) != name:
            raise ValueError(f'class file {file}: label {label} is {names[int(label)]!r} and {name!r}')
    known = {squash(name) for name in names.values()}
    _check_all_there(
        f'class file {file} lacks', [name for name in tiny_kinetics_classes() if squash(name) not in known]
    )
    return names


def _json_pairs(file: str | Path) -> list[tuple]:
    try:
        content = json.loads(Path(file).read_text(encoding='utf-8-sig'))
    except json.JSONDecodeError as error:
        raise ValueError(f'class file {file} is no JSON: {error}') from None
    if isinstance(content, list):
        return list(enumerate(content))
    if not isinstance(content, dict):
        raise ValueError(f'class file {file}: expected a list of names or a dict from name to label')
    return [(label, name) for name, label in content.items()]


def _choose(
    file: str | Path, names: Mapping[int, str] | None, class_file: str | Path | None
) -> tuple[list[ListEntry], list[ListEntry]]:
    """All entries of a list, and those of the 150 classes with their new labels."""
    entries = read_list(file)
    check_unique(file, entries)
    labels = {squash(name): label for label, name in enumerate(tiny_kinetics_classes())}
    chosen = []
    for entry in entries:
        folder = labels.get(squash(Path(entry.path).parent.name))
        if names is None:
            label = folder
        elif entry.label not in names:
            raise ValueError(f'{file}, line {entry.number}: label {entry.label} has no name in {class_file}')
        else:
            label = labels.get(squash(names[entry.label]))
            if folder not in (None, label):
                raise ValueError(
                    f'{file}, line {entry.number}: label {entry.label} is {names[entry.label]!r} in {class_file}, but '
                    f'the video lies in the folder {Path(entry.path).parent.name!r}; the two belong to different lists'
                )
        if label is not None:
            chosen.append(ListEntry(entry.number, entry.path, label))
    advice = '; if the folders are not named after the classes, give a class file, such as kinetics400_classes.txt'
    advice = '' if names is not None else advice
    _check_all_there(f'{file} has no clip of', _absent(chosen), advice)
    return entries, chosen


def _absent(entries: Sequence[ListEntry]) -> list[str]:
    there = {entry.label for entry in entries}
    return [name for label, name in enumerate(tiny_kinetics_classes()) if label not in there]


def _check_all_there(what: str, absent: Sequence[str], advice: str = '') -> None:
    if absent:
        some = ', '.join(repr(name) for name in absent[:5]) + (', ...' if len(absent) > 5 else '')
        raise ValueError(f"{what} {len(absent)} of Tiny-Kinetics' 150 classes: {some}{advice}")


def _check_no_overlap(
    lists: Mapping[str, str | Path], chosen: Mapping[str, tuple[list[ListEntry], list[ListEntry]]]
) -> None:
    """See that no Kinetics clip, known by its YouTube id and times, is in both splits or twice in one."""
    seen = {}
    for split, (_, entries) in chosen.items():
        for entry in entries:
            clip = Path(entry.path).stem
            if not _KINETICS_CLIP.fullmatch(clip):
                continue
            if clip in seen:
                raise ValueError(
                    f'{lists[split]}, line {entry.number}: duplicate clip {clip!r}, which is in {seen[clip]} already'
                )
            seen[clip] = f'{lists[split]}, line {entry.number}'


def _split_missing(
    split: str, file: str | Path, entries: list[ListEntry], videos: Mapping[str, str | Path] | None
) -> tuple[list[ListEntry], list[ListEntry] | None]:
    """The entries that have a file, and those that have none (None if files are not looked for)."""
    if not videos or videos.get(split) is None:
        return entries, None
    folder = Path(videos[split])
    missing_paths = set(missing_files(folder, (entry.path for entry in entries), f'{split}: looking for files'))
    found = [entry for entry in entries if entry.path not in missing_paths]
    missing = [entry for entry in entries if entry.path in missing_paths]
    _check_all_there(
        f'{folder} has no file of',
        _absent(found),
        f' ({len(missing)} of {len(entries)} clips listed in '
        f'{file} are not there; the first was looked for as {folder / entries[0].path})',
    )
    return found, missing


def _count(split, entries, chosen, found, missing) -> SplitCounts:
    per_label = Counter(entry.label for entry in found)
    return SplitCounts(
        listed=len(entries),
        found=len(found),
        missing=None if missing is None else len(missing),
        left_out=len(entries) - len(chosen),
        authors=AUTHORS_COUNTS[split],
        per_class={name: per_label[label] for label, name in enumerate(tiny_kinetics_classes())},
    )
