"""Weizmann's ten actions as MMAction2 lists, each fold tested on one actor that is not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from repflow_mm.datasets.list_makers.clip_files import Clip, ClipFiles
from repflow_mm.datasets.list_makers.making import CHOOSE_SPLITS, checked_splits, make_lists

CLASSES = ('bend', 'jack', 'jump', 'pjump', 'run', 'side', 'skip', 'walk', 'wave1', 'wave2')
# Fold 1 tests the first, and so on.
ACTORS = ('daria', 'denis', 'eli', 'ido', 'ira', 'lena', 'lyova', 'moshe', 'shahar')
SPLITS = tuple(range(1, len(ACTORS) + 1))
# These are two videos each.
TWICE = {('lena', 'run'), ('lena', 'skip'), ('lena', 'walk')}


def make_weizmann_lists(out: str | Path, videos: str | Path | None = None, splits: Sequence[int] = SPLITS) -> dict:
    """Write lists of Weizmann's nine folds, each of which leaves one actor out.

    Writes ``weizmann_train_split_<k>_videos.txt``, the videos of eight actors, and
    ``weizmann_val_split_<k>_videos.txt``, those of the k-th of ``ACTORS``, and the other files of
    :func:`repflow_mm.datasets.list_makers.making.make_lists`. The data set has no annotations: its 93 videos are called
    ``<actor>_<action>.avi``, and lena's running, skipping and walking are two videos each, ``lena_run1.avi`` and
    ``lena_run2.avi``. They are found in folders of classes, as they come out of the archives
    (wisdom.weizmann.ac.il/~vision/SpaceTimeActions.html), or in one folder, whatever their suffix.

    Args:
        out (str | Path): Folder of the lists; it is made if it does not exist.
        videos (str | Path, optional): Folder of the videos. Those that are not there are left out of the lists and
            reported. Defaults to None: paths are ``<class>/<video>``, and are not looked for.
        splits (Sequence[int]): Which of the folds 1 to 9. Defaults to all.

    Returns:
        dict: The report, with ``actors``, the actor whom each fold tests.

    Raises:
        FileNotFoundError: If the folder does not exist, or a list would be empty.
        ValueError: If ``splits`` has another number.
    """
    checked_splits(splits, SPLITS)
    files = None if videos is None else ClipFiles(videos)
    lists = {}
    for split in splits:
        tested = ACTORS[split - 1]
        lists[f'train_split_{split}_videos'] = [clip for actor in ACTORS if actor != tested for clip in _clips(actor)]
        lists[f'val_split_{split}_videos'] = _clips(tested)
    actors = {str(split): ACTORS[split - 1] for split in splits}
    return make_lists('weizmann', out, CLASSES, lists, files, dict(actors=actors), advice=CHOOSE_SPLITS)


def _clips(actor: str) -> list[Clip]:
    """The videos of an actor, in the order of the labels."""
    clips = []
    for label, action in enumerate(CLASSES):
        for number in ('1', '2') if (actor, action) in TWICE else ('',):
            name = f'{actor}_{action}{number}'
            clips.append(Clip(f'{action}/{name}.avi', label, (name,)))
    return clips
