"""EgoGestAR's pointing gestures as MMAction2 lists, tested on scenes that are not trained on."""

from __future__ import annotations

import csv
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from repflow_mm.files import write_json, write_text

CLASSES = ('carret', 'circlecc', 'del', 'down', 'left', 'right', 'square', 'star', 'tick', 'up')
FOLDS = ('test', 'tune')
FOLDER = 'testvideo'
CLASSES_FILE = 'egogestar_classes.txt'
REPORT_FILE = 'egogestar_report.json'


class GestureClip(NamedTuple):
    """A clip of the data set: its class, its number there, the ``subset`` that it is in, and the scene if it is known.

    Subsets are ``'test'``, clips of six scenes; ``'tune'``, clips of three others; ``'train'``, clips of all others.
    """

    name: str
    number: int
    subset: str
    scene: str

    @property
    def path(self) -> str:
        """The clip's path in the public repository."""
        return f'{FOLDER}/testvideo_{self.name}_{self.number}.mp4'


def egogestar_clips() -> list[GestureClip]:
    """The clips that the lists are made of, in the order of their classes and numbers.

    No scene of the 59 test clips, or of the 29 for tuning, occurs in another subset, by the look of the clips; persons
    may. Those of training have no name of a scene.
    """
    text = resources.files('repflow_mm.datasets').joinpath('data', 'egogestar_clips.csv').read_text(encoding='utf-8')
    rows = csv.DictReader(text.splitlines())
    return [GestureClip(row['class'], int(row['number']), row['subset'], row['scene']) for row in rows]


def make_egogestar_lists(clone: str | Path, out: str | Path) -> dict[str, list[str] | dict[str, int]]:
    """Write lists of a clone of the public repository ``varunj/EgoGestAR``, paths relative to it.

    Writes, for the fold ``'test'`` (for results) and the fold ``'tune'`` (for choices, without a test clip),
    ``egogestar_train_<fold>.txt`` and ``egogestar_val_<fold>.txt``; ``egogestar_classes.txt``, a name a line in the
    order of the labels; and ``egogestar_report.json``. The fold ``'test'`` trains on the clips for tuning too.

    Args:
        clone (str | Path): The clone, with its folder ``testvideo``.
        out (str | Path): Folder of the lists; it is made if it does not exist.

    Returns:
        dict: ``found``, the number of clips in each list; ``missing``, paths of clips that are not in the clone; and
        ``unused``, paths of clips of these classes in the clone that no list has.

    Raises:
        FileNotFoundError: If the clone has no folder ``testvideo``, or none of the clips in it.
    """
    clone, out = Path(clone), Path(out)
    if not (clone / FOLDER).is_dir():
        raise FileNotFoundError(f'{clone} is no clone of varunj/EgoGestAR: it has no folder {FOLDER}')
    clips = egogestar_clips()
    there = {f'{FOLDER}/{file.name}' for file in (clone / FOLDER).iterdir() if file.stat().st_size}
    missing = [clip.path for clip in clips if clip.path not in there]
    if len(missing) == len(clips):
        raise FileNotFoundError(f'{clone / FOLDER} has none of the clips; the first was looked for as {missing[0]}')
    lists = {f'{subset}_{fold}': _entries(clips, there, subset, fold) for fold in FOLDS for subset in ('train', 'val')}
    gestures = tuple(f'{FOLDER}/testvideo_{name}_' for name in CLASSES)
    unused = sorted(path for path in there - {clip.path for clip in clips} if path.startswith(gestures))
    report = dict(found={name: len(lines) for name, lines in lists.items()}, missing=missing, unused=unused)
    out.mkdir(parents=True, exist_ok=True)
    for name, lines in lists.items():
        write_text(out / f'egogestar_{name}.txt', lines)
    write_text(out / CLASSES_FILE, CLASSES)
    write_json(out / REPORT_FILE, report)
    return report


def _entries(clips: list[GestureClip], there: set[str], subset: str, fold: str) -> list[str]:
    """The lines of a list: the clips that are there and that the fold trains on, or is validated with."""
    used = (fold,) if subset == 'val' else ('train', 'tune') if fold == 'test' else ('train',)
    return [f'{clip.path} {CLASSES.index(clip.name)}' for clip in clips if clip.subset in used and clip.path in there]
