"""Labels that change when a video is mirrored: those of left and right, clockwise and anticlockwise."""

from __future__ import annotations

import re
from collections.abc import Sequence

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


def _words(name: str) -> tuple[str, ...]:
    """A class name as words in lower case, directions by one name each."""
    words = re.findall(r'[A-Z]?[a-z]+|[A-Z]+|[0-9]+|[^\W\d_]+', name)
    text = re.sub(r'\b(?:counter|anti) clockwise\b', 'anticlockwise', ' '.join(words).lower())
    return tuple(_SYNONYMS.get(word, word) for word in text.split())
