"""Lists of a folder of one's own, with a folder of videos for each class."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from repflow_mm.datasets.list_makers.clip_files import Clip, ClipFiles
from repflow_mm.datasets.list_makers.duplicates import duplicates
from repflow_mm.datasets.list_makers.making import counted, make_lists
from repflow_mm.datasets.list_makers.splitting import split_items
from repflow_mm.datasets.lists.list_files import INTEGER, read_lines

SHARES = {'train': 0.8, 'val': 0.2}


def make_folder_lists(
    videos: str | Path,
    out: str | Path,
    name: str | None = None,
    shares: Mapping[str, float] = SHARES,
    seed: int = 0,
    group: str | None = None,
    given: Mapping[str, str | Path] | None = None,
) -> dict:
    """Write lists of videos that lie in a folder for each class.

    Writes ``<name>_train_list_videos.txt`` and the same for the other splits, and the other files of
    :func:`repflow_mm.datasets.list_makers.making.make_lists`; labels are the folders' names in alphabetical order. The
    same folder, shares, seed and pattern give the same lists.

    Args:
        videos (str | Path): Folder of the folders of classes. Videos may lie deeper in these.
        out (str | Path): Folder of the lists; it is made if it does not exist.
        name (str, optional): What the files' names begin with. Defaults to the folder's name.
        shares (Mapping[str, float]): The splits and the share of each, of every class. Defaults to 80 % for ``'train'``
            and 20 % for ``'val'``.
        seed (int): Seed of the split. Defaults to 0.
        group (str, optional): Regular expression that is found in every video's path, such as ``'g([0-9]+)'`` or
            ``'(person[0-9]+)_'``. Videos with the same text in its brackets, or with the same match if it has none,
            come to the same split, whatever their classes. Defaults to None: each video by itself.
        given (Mapping[str, str | Path], optional): Files that say what belongs to each split, in place of shares: a
            video a line, by its path in the folder or its name, with or without suffix, perhaps followed by a label,
            which does not count. Defaults to None.

    Returns:
        dict: The report, with ``per_class`` (videos of each class in each split), ``duplicates`` (groups of files with
        the same content), ``duplicates_in_splits`` and ``duplicates_in_classes`` (those of the groups that are in
        several), ``groups`` (their number, None without a pattern), ``no_class`` (folders without a video, which are no
        classes), and ``unknown`` (lines of the given files that are no video).

    Raises:
        FileNotFoundError: If the folder or a given file does not exist, or a list would be empty.
        ValueError: If there are fewer than two folders with videos, a share is not allowed, the pattern is no regular
            expression or is not found in a path, or the given files name a video in two splits, or several by one name.
    """
    files = ClipFiles(videos)
    paths = [path for path in files.paths if '/' in path and files.is_whole(path)]
    classes = sorted({_class_of(path) for path in paths})
    if len(classes) < 2:
        must = 'must have two or more folders with videos, one for each class'
        raise ValueError(f'{videos} {must}, got {classes}{files.hint}')
    labels = [classes.index(_class_of(path)) for path in paths]
    unknown, groups = [], _groups(paths, group)
    splits = _given_splits(paths, given, unknown) if given else split_items(labels, groups, shares, seed)
    lists = {f'{split}_list_videos': [] for split in given or shares}
    for path, label, split in zip(paths, labels, splits):
        if split:
            lists[f'{split}_list_videos'].append(Clip(path, label, (PurePosixPath(path).stem,)))
    per_class = {class_name: dict.fromkeys(given or shares, 0) for class_name in classes}
    for (label, split), count in Counter(zip(labels, splits)).items():
        per_class[classes[label]] |= {split: count} if split else {}
    notes = dict(
        per_class=per_class,
        **_same_content(videos, paths, labels, splits),
        groups=None if group is None else len(set(groups)),
        no_class=sorted(_folders(videos).difference(classes)),
        unknown=unknown,
    )
    return make_lists(name or Path(videos).resolve().name, out, classes, lists, files, notes, flip=True)


def folder_lines(report: dict) -> list[str]:
    """What a report of :func:`make_folder_lists` has beside that of other data sets, for the terminal."""
    sizes = {name: sum(counts.values()) for name, counts in report['per_class'].items()}
    least, most = min(sizes, key=sizes.get), max(sizes, key=sizes.get)
    lines = [f'{len(sizes)} classes of {sizes[least]:,} ({least}) to {sizes[most]:,} ({most}) videos']
    if report['groups'] is not None:
        lines.append(f'{report["groups"]:,} groups, each on one side')
    for key, text in (('no_class', 'folders without a video'), ('unknown', 'lines that are no video')):
        if report[key]:
            lines.append(f'{text}: {counted(report[key])}')
    for key, where in (('', ''), ('_in_splits', ' in several splits'), ('_in_classes', ' in several classes')):
        groups = report[f'duplicates{key}']
        if groups:
            lines.append(f'the same content{where}: {len(groups):,} times, the first {" and ".join(groups[0][:2])}')
    return lines


def _class_of(path: str) -> str:
    return path.split('/')[0]


def _folders(videos: str | Path) -> set[str]:
    return {path.name for path in Path(videos).iterdir() if path.is_dir() and not path.name.startswith('.')}


def _groups(paths: Sequence[str], pattern: str | None) -> list[str]:
    """The group of each video."""
    if pattern is None:
        return list(paths)
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ValueError(f'the pattern of groups {pattern!r} is no regular expression: {error}') from None
    matches = [expression.search(path) for path in paths]
    others = [path for path, match in zip(paths, matches) if not match]
    if others:
        raise ValueError(f'the pattern of groups {pattern!r} is not in {len(others)} paths, the first is {others[0]!r}')
    return ['\0'.join(part or '' for part in match.groups()) or match[0] for match in matches]


def _given_splits(paths: Sequence[str], given: Mapping[str, str | Path], unknown: list[str]) -> list[str]:
    """The split of each video, '' for none; lines that are no video are added to ``unknown``."""
    by_name = {}
    for path in paths:
        pure = PurePosixPath(path)
        for key in {path, str(pure.with_suffix('')), pure.name, pure.stem}:
            by_name.setdefault(key, []).append(path)
    splits, places = {}, {}
    for split, file in given.items():
        for number, line in read_lines(file, 'list of names'):
            place, (head, _, last) = f'{file}, line {number}', line.rpartition(' ')
            found = by_name.get(line) or (by_name.get(head.strip(), []) if INTEGER.fullmatch(last) else [])
            if len(found) > 1:
                raise ValueError(f'{place}: {line!r} is {len(found)} videos, {found[0]!r} and {found[1]!r}; give paths')
            if not found:
                unknown.append(f'{place}: {line}')
            elif splits.setdefault(found[0], split) != split:
                raise ValueError(f'{place}: {found[0]!r} is in {places[found[0]]} already')
            else:
                places[found[0]] = place
    return [splits.get(path, '') for path in paths]


def _same_content(
    videos: str | Path, paths: Sequence[str], labels: Sequence[int], splits: Sequence[str]
) -> dict[str, list[list[str]]]:
    groups = duplicates(videos, paths)
    label_of, split_of = dict(zip(paths, labels)), dict(zip(paths, splits))
    return dict(
        duplicates=groups,
        duplicates_in_splits=[group for group in groups if len({split_of[path] for path in group} - {''}) > 1],
        duplicates_in_classes=[group for group in groups if len({label_of[path] for path in group}) > 1],
    )
