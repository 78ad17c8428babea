"""Lists of a folder of one's own, with a folder of videos for each class."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from repflow_mm.datasets.list_makers.clip_files import Clip, ClipFiles
from repflow_mm.datasets.list_makers.duplicates import duplicates
from repflow_mm.datasets.list_makers.making import counted, make_lists
from repflow_mm.datasets.list_makers.splitting import split_items
from repflow_mm.datasets.lists.list_files import INTEGER, read_lines

SHARES = {'train': 0.8, 'val': 0.2}
# What folders are called that hold the folders of classes of a split, and the split.
SPLIT_FOLDERS = dict(
    train='train', training='train', val='val', valid='val', validation='val', test='test', testing='test'
)


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
    same folder, shares, seed and pattern give the same lists. Folders of classes may lie in folders of the splits,
    ``train/wave/a.mp4`` and ``val/wave/b.mp4``; these say what belongs to which then, in place of shares.

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
        classes), ``split_folders`` (whether folders say what belongs to which split), and ``unknown`` (lines of the
        given files that are no video).

    Raises:
        FileNotFoundError: If the folder or a given file does not exist, or a list would be empty.
        ValueError: If there are fewer than two folders with videos, a share is not allowed, the pattern is no regular
            expression or is not found in a path or there are folders of the splits, or the given files name a video in
            two splits, or several by one name.
    """
    files = ClipFiles(videos)
    split_folders = _has_split_folders(files.paths)
    if split_folders and group is not None:
        raise ValueError(f'{videos} has a folder for each split, which says what belongs to which; take --group away')
    class_of = partial(_folder, depth=int(split_folders))
    paths = [path for path in files.paths if class_of(path) and files.is_whole(path)]
    classes = sorted({class_of(path) for path in paths})
    if len(classes) < 2:
        must = 'must have two or more folders with videos, one for each class'
        raise ValueError(f'{videos} {must}, got {classes}{files.hint}')
    labels = [classes.index(class_of(path)) for path in paths]
    unknown, groups = [], _groups(paths, group)
    if given:
        names, splits = given, _given_splits(paths, given, unknown)
    elif split_folders:
        splits = [_split_of(path) for path in paths]
        names = [name for name in dict.fromkeys(SPLIT_FOLDERS.values()) if name in splits]
    else:
        names, splits = shares, split_items(labels, groups, shares, seed)
    lists = {f'{name}_list_videos': _clips(paths, labels, splits, name) for name in names}
    counts = Counter(zip(labels, splits))
    notes = dict(
        per_class={own: {name: counts[label, name] for name in names} for label, own in enumerate(classes)},
        **_same_content(videos, paths, labels, splits),
        groups=None if group is None else len(set(groups)),
        no_class=sorted(_folders(videos, int(split_folders)).difference(classes)),
        split_folders=split_folders and not given,
        unknown=unknown,
    )
    return make_lists(name or Path(videos).resolve().name, out, classes, lists, files, notes, flip=True)


def folder_lines(report: dict) -> list[str]:
    """What a report of :func:`make_folder_lists` has beside that of other data sets, for the terminal."""
    sizes = {name: sum(counts.values()) for name, counts in report['per_class'].items()}
    least, most = min(sizes, key=sizes.get), max(sizes, key=sizes.get)
    lines = [f'{len(sizes)} classes of {sizes[least]:,} ({least}) to {sizes[most]:,} ({most}) videos']
    if report['split_folders']:
        lines.append('the folders of the splits say what belongs to which; shares do not count')
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


def _clips(paths: Sequence[str], labels: Sequence[int], splits: Sequence[str], name: str) -> list[Clip]:
    """The clips of a split."""
    items = [(path, label) for path, label, split in zip(paths, labels, splits) if split == name]
    return [Clip(path, label, (PurePosixPath(path).stem,)) for path, label in items]


def _has_split_folders(paths: Sequence[str]) -> bool:
    """Whether all videos lie in folders of classes in folders of a training and another split."""
    splits = {_split_of(path) for path in paths if '/' in path}
    return None not in splits and {'train'} < splits and all(_folder(path, 1) for path in paths if '/' in path)


def _split_of(path: str) -> str | None:
    return SPLIT_FOLDERS.get(path.split('/')[0].lower())


def _folder(path: str, depth: int) -> str:
    """The folder of a path at a depth; empty if it has none there."""
    return next(iter(path.split('/')[depth:-1]), '')


def _folders(videos: str | Path, depth: int) -> set[str]:
    """Names of the folders at a depth."""
    return {path.name for path in Path(videos).glob('*/' * depth + '*') if path.is_dir() and path.name[0] != '.'}


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
