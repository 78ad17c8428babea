"""EgoGestAR's pointing gestures as MMAction2 lists, tested on scenes that are not trained on."""

from __future__ import annotations

import csv
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from repflow_mm.datasets.list_makers.clip_files import Clip, ClipFiles
from repflow_mm.datasets.list_makers.making import make_lists

CLASSES = ('carret', 'circlecc', 'del', 'down', 'left', 'right', 'square', 'star', 'tick', 'up')
FOLDS = ('test', 'tune')
FOLDER = 'testvideo'


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


def make_egogestar_lists(clone: str | Path, out: str | Path) -> dict:
    """Write lists of a clone of the public repository ``varunj/EgoGestAR``, paths relative to it.

    Clips are found in its folder ``testvideo`` or in any other, also as ``star_1.mp4``, whatever their suffix.

    Writes, for the fold ``'test'`` (for results) and the fold ``'tune'`` (for choices, without a test clip),
    ``egogestar_train_<fold>.txt`` and ``egogestar_val_<fold>.txt``, and the other files of
    :func:`repflow_mm.datasets.list_makers.making.make_lists`. The fold ``'test'`` trains on the clips for tuning too.

    Args:
        clone (str | Path): The clone, or a folder with its clips.
        out (str | Path): Folder of the lists; it is made if it does not exist.

    Returns:
        dict: The report.

    Raises:
        FileNotFoundError: If the folder does not exist, or a list would be empty.
    """
    lists = {f'{subset}_{fold}': _clips(subset, fold) for fold in FOLDS for subset in ('train', 'val')}
    return make_lists('egogestar', out, CLASSES, lists, ClipFiles(clone))


def _clips(subset: str, fold: str) -> list[Clip]:
    """The clips of a list: those that the fold trains on, or is validated with."""
    used = (fold,) if subset == 'val' else ('train', 'tune') if fold == 'test' else ('train',)
    clips = [clip for clip in egogestar_clips() if clip.subset in used]
    names = [(PurePosixPath(clip.path).stem, f'{clip.name}_{clip.number}') for clip in clips]
    return [Clip(clip.path, CLASSES.index(clip.name), known) for clip, known in zip(clips, names)]
