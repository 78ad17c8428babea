"""Kinetics-400, -600 and -700 as MMAction2 lists.

The annotations are tables ``label,youtube_id,time_start,time_end,split``, names with commas in quotes; those of older
test splits have no labels. The Common Visual Data Foundation has tables and videos (github.com/cvdfoundation/
kinetics-dataset), a folder each for training, validation and test, with files ``<id>_<start>_<end>.mp4``, the times in
six digits; its script ``arrange_by_classes.py``, and other copies, have a folder a class in these. Some videos that the
tables name are not in the archives, and some in the archives are in no table (issues 3, 28 and 51 there).
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from repflow_mm.datasets.list_makers.clip_files import Clip, ClipFiles
from repflow_mm.datasets.list_makers.making import make_lists
from repflow_mm.datasets.lists.list_files import read_lines

VERSIONS = (400, 600, 700)
SUBSETS = ('train', 'val', 'test')
_ID = re.compile(r'[\w-]{11}', re.ASCII)


@dataclass(frozen=True)
class _Row:
    """A line of a table; ``label`` is empty where the table does not tell it."""

    place: str
    label: str
    youtube_id: str
    start: int
    end: int

    @property
    def name(self) -> str:
        return f'{self.youtube_id}_{self.start:06}_{self.end:06}'


def make_kinetics_lists(
    tables: Mapping[str, str | Path],
    out: str | Path,
    videos: Mapping[str, str | Path] | None = None,
    version: int = 400,
) -> dict:
    """Write lists of Kinetics, with MMAction2's names.

    Writes ``kinetics400_train_list_videos.txt`` and the same for ``val`` and ``test``; for a test split without labels
    ``kinetics400_test_paths.txt``, a path a line; and the other files of
    :func:`repflow_mm.datasets.list_makers.making.make_lists`. Labels are the classes in alphabetical order.

    Videos are found in one folder or in folders of classes, as ``<id>_<start>_<end>``, or as ``<id>`` alone where the
    table has the id once, with any suffix.

    Args:
        tables (Mapping[str, str | Path]): For ``'train'``, ``'val'`` and ``'test'``, or some of them, the table.
        out (str | Path): Folder of the lists; it is made if it does not exist.
        videos (Mapping[str, str | Path], optional): For each of them the folder of the videos. Videos that are not
            there are left out of the list and reported. Defaults to None: paths are ``<id>_<start>_<end>.mp4``, and are
            not looked for.
        version (int): 400, 600 or 700, the number of classes. Defaults to 400.

    Returns:
        dict: The report, with ``no_ids``, the lines of the tables whose id is none of YouTube's, and ``in_several``,
        the clips that more than one of the tables has.

    Raises:
        FileNotFoundError: If a table or a folder does not exist, or a list would be empty.
        ValueError: If the version or a split is unknown, a split has videos and no table, a line is malformed or has
            another label for a clip that is there already, a table has labels in some lines alone, or the number of
            classes is not the version's.
    """
    if version not in VERSIONS:
        raise ValueError(f'version must be from {VERSIONS}, got {version!r}')
    if not tables or set(tables) - set(SUBSETS):
        raise ValueError(f'tables must be of splits from {SUBSETS}, got {tuple(tables)}')
    videos = {subset: folder for subset, folder in (videos or {}).items() if folder is not None}
    if set(videos) - set(tables):
        raise ValueError(f'videos are of splits {tuple(videos)}, tables of {tuple(tables)} alone')
    no_ids = []
    rows = {subset: _read_table(table, no_ids) for subset, table in tables.items()}
    classes = _class_names(rows, version)
    labels = {name: label for label, name in enumerate(classes)}
    # One for a folder: splits may share it, and what one has is nothing extra for another.
    folders = {folder: ClipFiles(folder) for folder in set(videos.values())}
    tables_of = Counter(row.name for found in rows.values() for row in found)
    notes = dict(no_ids=no_ids, in_several=[name for name, count in tables_of.items() if count > 1])
    lists, files = {}, {}
    for subset, found in rows.items():
        name = f'{subset}_list_videos' if found[0].label else f'{subset}_paths'
        lists[name] = _clips(found, labels)
        files[name] = folders.get(videos.get(subset))
    return make_lists(f'kinetics{version}', out, classes, lists, files, notes)


def _class_names(rows: Mapping[str, list[_Row]], version: int) -> list[str]:
    """The classes of all tables, alphabetical."""
    classes = sorted({row.label for found in rows.values() for row in found} - {''})
    if len(classes) != version:
        some = ', '.join(classes[:5]) + (', ...' if len(classes) > 5 else '')
        raise ValueError(f'the tables have {len(classes)} classes, Kinetics-{version} has {version}: {some}')
    return classes


def _read_table(file: str | Path, no_ids: list[str]) -> list[_Row]:
    """The clips of a table, each once; adds the places of lines without an id to ``no_ids``."""
    (_, head), *lines = read_lines(file, 'table')
    columns = [name.strip() for name in next(csv.reader([head]))]
    if not {'youtube_id', 'time_start', 'time_end'} <= set(columns):
        raise ValueError(f"{file}: expected 'label,youtube_id,time_start,time_end,split' above, got {head!r}")
    rows = {}
    for number, line in lines:
        row = _row(f'{file}, line {number}', line, columns)
        first = rows.setdefault(row.name, row)
        if first.label != row.label:
            raise ValueError(f'{row.place}: {row.name} is {row.label!r}, and {first.label!r} in {first.place}')
    # Spreadsheets make errors of ids that begin with a hyphen.
    no_ids += [row.place for row in rows.values() if not _ID.fullmatch(row.youtube_id)]
    rows = [row for row in rows.values() if _ID.fullmatch(row.youtube_id)]
    if not rows:
        raise ValueError(f'{file} names no clip')
    mixed = next((row for row in rows if bool(row.label) != bool(rows[0].label)), None)
    if mixed:
        raise ValueError(f'{mixed.place}: a table has labels in all lines or in none')
    return rows


def _row(place: str, line: str, columns: Sequence[str]) -> _Row:
    try:
        # Strictly, and each line by itself: a quote that is not closed would swallow the lines below.
        fields = dict(zip(columns, next(csv.reader([line], strict=True))))
        start, end = (int(float(fields[name])) for name in ('time_start', 'time_end'))
        return _Row(place, fields.get('label', '').strip().strip('"'), fields['youtube_id'].strip(), start, end)
    except (KeyError, ValueError, OverflowError, csv.Error):
        expected = 'expected an id and two times in seconds, and quotes around a label with commas'
        raise ValueError(f'{place}: {line!r}: {expected}') from None


def _clips(rows: list[_Row], labels: Mapping[str, int]) -> list[Clip]:
    counts = Counter(row.youtube_id for row in rows)
    clips = []
    for row in rows:
        names = (row.name, row.youtube_id) if counts[row.youtube_id] == 1 else (row.name,)
        clips.append(Clip(f'{row.name}.mp4', labels[row.label] if row.label else None, names))
    return clips
