"""Lists of a data set, its classes and a report, made of what its annotations name and what is in a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from repflow_mm.datasets.list_makers.clip_files import Clip, ClipFiles, FrameFolders, counted_suffixes, squash
from repflow_mm.datasets.list_makers.mirrored_labels import FLIP_LABELS, mirrored_labels
from repflow_mm.files import write_json, write_text
from repflow_mm.progress import progress_bar

# What the error says of the clips of a split that are not there.
CHOOSE_SPLITS = '; splits (--splits) chooses those that lists are made of'


def make_lists(
    dataset: str,
    out: str | Path,
    classes: Sequence[str],
    lists: Mapping[str, Sequence[Clip]],
    files: Mapping[str, ClipFiles | None] | ClipFiles | None = None,
    notes: Mapping[str, object] | None = None,
    flip: bool = False,
    advice: str = '',
) -> dict:
    """Write lists of the clips that are there, the names of the classes, and a report.

    Writes ``<dataset>_<list>.txt`` for each list, lines ``path label`` or ``path total_frames label``, or
    ``path offset total_frames label`` for parts of files, without the label where it is not known;
    ``<dataset>_classes.txt``, a name a line in the order of the labels; with ``flip``, ``<dataset>_flip_labels.json``,
    the labels that mirroring exchanges; and ``<dataset>_report.json``. Each file appears when it is whole, and is left
    alone if it is as it would be written.

    Args:
        dataset (str): The data set's name in file names.
        out (str | Path): Folder to write to; it is made if it does not exist.
        classes (Sequence[str]): Names of the classes, in the order of the labels.
        lists (Mapping[str, Sequence[Clip]]): The clips of each list.
        files (Mapping[str, ClipFiles] | ClipFiles, optional): The clips that are there, for all lists or for each.
            Clips that are not there are left out of the list. Defaults to None: files are not looked for.
        notes (Mapping[str, object], optional): What else the report says. Defaults to None.
        flip (bool): Whether labels of left and right are looked for. Defaults to False.
        advice (str): What the error says at its end where none of a list's clips is there. Defaults to ``''``.

    Returns:
        dict: The report: ``dataset``; ``lists``, for each ``listed``, ``found``, ``missing`` (paths, None if not looked
        for) and ``absent`` (classes without a clip); ``extra``, the files that no list has (None if not looked for);
        ``incomplete``, the folders that lack a frame; ``other_suffixes``, the number of files of each suffix that is
        no video's; ``flip_labels``; and the notes.

    Raises:
        FileNotFoundError: If a list's clips are looked for and none is there.
        ValueError: If a path cannot stand in a list, or is found for two clips of one.
    """
    if not isinstance(files, Mapping):
        files = dict.fromkeys(lists, files)
    kinds = {squash(name) for name in classes}
    found = {name: _look(name, clips, files.get(name), classes, kinds, advice) for name, clips in lists.items()}
    report = dict(dataset=dataset, lists={})
    for name, clips in lists.items():
        report['lists'][name] = _count(clips, found[name], classes, files.get(name) is not None)
    report |= _left_over(found, files)
    report['flip_labels'] = {str(a): b for a, b in mirrored_labels(classes).items()} if flip else {}
    report |= notes or {}
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for name, clips in lists.items():
        write_text(out / f'{dataset}_{name}.txt', _lines(clips, found[name], files.get(name)))
    write_text(out / f'{dataset}_classes.txt', classes)
    if flip:
        write_json(out / f'{dataset}_{FLIP_LABELS}', report['flip_labels'])
    write_json(out / f'{dataset}_report.json', report)
    return report


def summary_lines(report: dict, out: str | Path) -> list[str]:
    """A report of :func:`make_lists` for the terminal."""
    lines = []
    for name, counts in report['lists'].items():
        missing = counts['missing']
        rest = 'not looked for' if missing is None else counted(missing)
        absent = f'; classes without a clip: {counted(counts["absent"])}' if counts['absent'] else ''
        lines.append(f'{name}: {counts["found"]:,} clips of {counts["listed"]:,}; missing: {rest}{absent}')
    if report['extra'] is not None:
        lines.append(f'in no list: {counted(report["extra"])}')
    if report['other_suffixes']:
        lines.append(f'no videos by their suffix: {counted_suffixes(report["other_suffixes"])}')
    if report['incomplete']:
        lines.append(f'folders that lack frames: {counted(report["incomplete"])}')
    dataset, flip = report['dataset'], ''
    if report['flip_labels']:
        pairs = ', '.join(f'{a}: {b}' for a, b in report['flip_labels'].items())
        lines.append(f'labels that a flip exchanges: {{{pairs}}}')
        flip = f'{dataset}_{FLIP_LABELS}, '
    return [*lines, f'{out}: lists, {dataset}_classes.txt, {flip}{dataset}_report.json']


def checked_splits(splits: Sequence[int], allowed: Sequence[int]) -> None:
    """Raise ValueError unless there are splits, all of them allowed."""
    if not splits or any(split not in allowed for split in splits):
        raise ValueError(f'splits must be from {tuple(allowed)}, got {tuple(splits)}')


def _look(
    name: str, clips: Sequence[Clip], files: ClipFiles | None, classes: Sequence[str], kinds: set[str], advice: str
) -> list[str | None]:
    """The path of each clip, as it is named where files are not looked for; None if it is not there."""
    if files is None:
        return [clip.path for clip in clips]
    found = []
    for clip in progress_bar(clips, f'{name}: looking for files', unit='clip'):
        class_name = '' if clip.label is None else classes[clip.label]
        found.append(files.find(clip, class_name, () if clip.label is None else kinds))
    if clips and not any(found):
        where = f'the first was looked for as {clips[0].path}{files.hint}{advice}'
        raise FileNotFoundError(f'{files.folder} has none of the clips of {name}; {where}')
    _check_unique(clips, found)
    return found


def _check_unique(clips: Sequence[Clip], found: Sequence[str | None]) -> None:
    taken = {}
    for clip, path in zip(clips, found):
        if path is not None and taken.setdefault((path, clip.part), clip) is not clip:
            both = f'{taken[path, clip.part].path} and {clip.path}'
            raise ValueError(f'{path} would be both {both}; rename one of the files')


def _count(clips: Sequence[Clip], found: Sequence[str | None], classes: Sequence[str], looked: bool) -> dict:
    there = {clip.label for clip, path in zip(clips, found) if path is not None}
    absent = [name for label, name in enumerate(classes) if label not in there]
    return dict(
        listed=len(clips),
        found=sum(path is not None for path in found),
        missing=[clip.path for clip, path in zip(clips, found) if path is None] if looked else None,
        absent=[] if there == {None} else absent,
    )


def _left_over(found: Mapping[str, list[str | None]], files: Mapping[str, ClipFiles | None]) -> dict:
    """The clips of the folders that no list has, and the folders that lack a frame."""
    used = {}
    for name, source in files.items():
        if source is not None:
            used.setdefault(source, set()).update(found.get(name, ()))
    if not used:
        return dict(extra=None, incomplete=[], other_suffixes={})
    prefix = (lambda source: f'{source.folder}/') if len(used) > 1 else (lambda source: '')
    incomplete = {source: source.incomplete if isinstance(source, FrameFolders) else [] for source in used}
    known = {source: used[source].union(incomplete[source]) for source in used}
    return dict(
        extra=[prefix(source) + path for source in used for path in source.paths if path not in known[source]],
        incomplete=[prefix(source) + path for source in used for path in incomplete[source]],
        other_suffixes=dict(sum((source.others for source in used), Counter())),
    )


def _lines(clips: Sequence[Clip], found: Sequence[str | None], files: ClipFiles | None) -> list[str]:
    lines = []
    for clip, path in zip(clips, found):
        if path is None:
            continue
        # File names that are no UTF-8 come with parts that cannot be written.
        if path != path.strip() or len(path.splitlines()) > 1 or path.encode(errors='replace').decode() != path:
            raise ValueError(f'{path!r} cannot stand in a list: a line break, a blank at an end, or no UTF-8')
        entry = path if files is None or clip.part else files.entry(path)
        entry = ' '.join(map(str, (entry, *(clip.part or ()))))
        lines.append(entry if clip.label is None else f'{entry} {clip.label}')
    return lines


def counted(items: Sequence[str]) -> str:
    """How many items there are, and the first."""
    return f'{len(items):,}, the first {items[0]}' if items else '0'
