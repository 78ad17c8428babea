"""Labels that change when a video is mirrored: those of left and right, clockwise and anticlockwise."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from repflow_mm.datasets.lists.class_names import file_beside

# What ends the name of the file that is written beside lists.
FLIP_LABELS = 'flip_labels.json'
_MIRRORED = {'left': 'right', 'right': 'left', 'clockwise': 'anticlockwise', 'anticlockwise': 'clockwise'}
_SYNONYMS = {'counterclockwise': 'anticlockwise', 'cw': 'clockwise', 'ccw': 'anticlockwise'}


def mirrored_labels(classes: Sequence[str]) -> dict[int, int]:
    """The labels of a horizontal flip, as MMAction2's ``Flip(flip_label_map=...)`` takes them.

    A class is another one's mirror image if its name becomes the other's by exchanging left and right, clockwise and
    anticlockwise. Names may be written in any of the usual ways: ``Swiping Left``, ``swipe_left``, ``SwipeLeft``.

    Args:
        classes (Sequence[str]): Names of the classes, in the order of the labels.

    Returns:
        dict[int, int]: For each label that changes the label that it becomes.
    """
    labels = {_words(name): label for label, name in reversed(list(enumerate(classes)))}
    mirrored = {}
    for label, name in enumerate(classes):
        other = labels.get(tuple(_MIRRORED.get(word, word) for word in _words(name)), label)
        if other != label and _words(name) != _words(classes[other]):
            mirrored[label] = other
    return mirrored


def flip_labels_beside(list_file: str | Path) -> dict[int, int]:
    """The labels of a flip that were written beside a list, with the same beginning of its name; empty if none were.

    Raises:
        ValueError: If the file is not as it was written.
    """
    file = file_beside(list_file, FLIP_LABELS)
    if file is None:
        return {}
    try:
        return {int(label): int(other) for label, other in json.loads(file.read_text('utf-8')).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f'{file} is no dict of labels: {error}') from None


def _words(name: str) -> tuple[str, ...]:
    """A class name as words in lower case, directions by one name each."""
    words = re.findall(r'[A-Z]?[a-z]+|[A-Z]+|[0-9]+|[^\W\d_]+', name)
    text = re.sub(r'\b(?:counter|anti) clockwise\b', 'anticlockwise', ' '.join(words).lower())
    return tuple(_SYNONYMS.get(word, word) for word in text.split())
