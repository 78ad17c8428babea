"""KTH's six actions as MMAction2 lists of sequences, tested on persons that are not trained on."""

from __future__ import annotations

import re
from pathlib import Path

from repflow_mm.datasets.list_makers.clip_files import Clip, ClipFiles
from repflow_mm.datasets.list_makers.making import make_lists
from repflow_mm.datasets.lists.list_files import read_lines

CLASSES = ('boxing', 'handclapping', 'handwaving', 'jogging', 'running', 'walking')
# Schüldt, Laptev & Caputo, ICPR 2004; also the head of the official 00sequences.txt.
PERSONS = dict(
    train=(11, 12, 13, 14, 15, 16, 17, 18),
    tune=(19, 20, 21, 23, 24, 25, 1, 4),
    test=(22, 2, 3, 5, 6, 7, 8, 9, 10),
)
# For each fold the persons that are trained on, and those that are tested.
FOLDS = dict(test=(('train', 'tune'), ('test',)), tune=(('train',), ('tune',)))
SEQUENCES = '00sequences.txt'
_VIDEO = re.compile(rf'person(?P<person>[0-9]{{2}})_(?P<action>{"|".join(CLASSES)})_d[1-4]')
_RANGE = re.compile(r'\s*(?P<first>[0-9]+)-(?P<last>[0-9]+)\s*')
_EXPECTED = "expected 'person01_boxing_d1 frames 1-95, 96-185', or '*missing*' in place of the frames"


def make_kth_lists(annotations: str | Path, out: str | Path, videos: str | Path | None = None) -> dict:
    """Write lists of KTH's sequences: each video shows an action about four times, and a sequence is one of these.

    Writes, for the fold ``'test'`` (for results) and the fold ``'tune'`` (for choices, without a test person),
    ``kth_train_<fold>.txt`` and ``kth_val_<fold>.txt``, lines ``path offset total_frames label``, and the other files
    of :func:`repflow_mm.datasets.list_makers.making.make_lists`. The fold ``'tune'`` trains on the paper's training
    persons and validates on its validation persons; the fold ``'test'`` trains on both and tests on its test persons.
    Videos are found in folders of classes or in one folder, whatever their suffix.

    The official ``00sequences.txt`` (csc.kth.se/cvap/actions) has a head of plain text and lines
    ``person01_boxing_d1 frames 1-95, 96-185, 186-245, 246-360``, frames counted from 1; videos are called
    ``person01_boxing_d1_uncomp.avi``.

    Args:
        annotations (str | Path): Folder of the official file.
        out (str | Path): Folder of the lists; it is made if it does not exist.
        videos (str | Path, optional): Folder of the videos. Those that are not there are left out of the lists and
            reported. Defaults to None: paths are ``<class>/<video>``, and are not looked for.

    Returns:
        dict: The report, with ``not_recorded``, the videos that the official file calls missing.

    Raises:
        FileNotFoundError: If a folder or the file does not exist, or a list would be empty.
        ValueError: If a line is malformed, or a video is named twice.
    """
    sequences, not_recorded = _read(Path(annotations, SEQUENCES))
    files = None if videos is None else ClipFiles(videos)
    lists = {}
    for fold, subsets in FOLDS.items():
        for name, used in zip(('train', 'val'), subsets):
            persons = [person for subset in used for person in PERSONS[subset]]
            lists[f'{name}_{fold}'] = [clip for person, clip in sequences if person in persons]
    return make_lists('kth', out, CLASSES, lists, files, dict(not_recorded=not_recorded))


def _read(file: Path) -> tuple[list[tuple[int, Clip]], list[str]]:
    """Every sequence with its person, and the videos that were not recorded."""
    sequences, not_recorded, seen = [], [], {}
    for number, line in read_lines(file, 'file of sequences'):
        video, _, rest = line.replace('\t', ' ').partition(' ')
        match = _VIDEO.fullmatch(video)
        if match is None and not line.startswith('person'):
            continue
        place = f'{file}, line {number}'
        if match is None or not 1 <= int(match['person']) <= 25:
            raise ValueError(f'{place}: {line!r}: {_EXPECTED}')
        if seen.setdefault(match[0], number) != number:
            raise ValueError(f'{place}: {match[0]!r} is on line {seen[match[0]]} already')
        if rest.strip() == '*missing*':
            not_recorded.append(match[0])
            continue
        path, names = f'{match["action"]}/{match[0]}_uncomp.avi', (f'{match[0]}_uncomp', match[0])
        for part in _parts(f'{place}: {line!r}', rest):
            sequences.append((int(match['person']), Clip(path, CLASSES.index(match['action']), names, part)))
    return sequences, not_recorded


def _parts(place: str, text: str) -> list[tuple[int, int]]:
    """The frames before each sequence, and their number in it, of ``frames 1-95, 96-185``."""
    word, _, ranges = text.strip().partition('frames')
    matches = [_RANGE.fullmatch(part) for part in ranges.split(',')]
    if word or not all(matches):
        raise ValueError(f'{place}: {_EXPECTED}')
    parts = [(int(match['first']) - 1, int(match['last']) - int(match['first']) + 1) for match in matches]
    if any(offset < 0 or count < 1 for offset, count in parts):
        raise ValueError(f'{place}: frames count from 1, and a sequence ends after it begins')
    return parts
