"""Pictures of confusion matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repflow_mm.sweeps.results import Predictions
from repflow_mm.visualization.figures import save_figure

MOST_COLUMNS = 3
# Matrices of more classes have no names and no numbers: they could not be read.
MOST_NAMED = 20


def write_confusions(path: Path, predictions: dict[str, Predictions], names: Sequence[str] = ()) -> None:
    """Write a PNG of each row's confusion matrix: the true class from top to bottom, the predicted from left to right.

    The colour is the share of the class; the number in a place counts clips, those of all seeds together.

    Args:
        path (Path): The file.
        predictions (dict[str, Predictions]): What each row's runs predict.
        names (Sequence[str]): Names of the classes. Defaults to none, which shows their numbers, as other names than
            there are classes do.
    """
    columns = min(MOST_COLUMNS, math.ceil(math.sqrt(len(predictions))))
    lines = math.ceil(len(predictions) / columns)
    figure = Figure(figsize=(4 * columns + 1, 4.1 * lines), layout='constrained')
    axes = figure.subplots(lines, columns, squeeze=False)
    for place in axes.flat:
        place.axis('off')
    for place, (row, found) in zip(axes.flat, predictions.items()):
        image = _draw(place, found, names)
        place.set_title(f'{row}: {100 * found.right.mean():.1f} %', fontsize=10)
    figure.colorbar(image, ax=axes, label='% of the class', shrink=0.6)
    save_figure(figure, path, dpi=100)


def _draw(place: Axes, found: Predictions, names: Sequence[str]):
    """One matrix; returns its image."""
    shares = found.confusion
    image = place.imshow(100 * shares, vmin=0, vmax=100, cmap='Blues')
    place.axis('on')
    place.set(xlabel='predicted', ylabel='true')
    if found.num_classes > MOST_NAMED:
        return image
    labels = names if len(names) == found.num_classes else [str(label) for label in range(found.num_classes)]
    place.set_xticks(range(found.num_classes), labels, rotation=90, fontsize=8)
    place.set_yticks(range(found.num_classes), labels, fontsize=8)
    for (true, predicted), count in _places(found):
        colour = 'white' if shares[true, predicted] > 0.5 else 'black'
        place.text(predicted, true, str(count), ha='center', va='center', fontsize=7, color=colour)
    return image


def _places(found: Predictions) -> list[tuple[tuple[int, int], int]]:
    """The places of a matrix with clips, and how many."""
    counts = found.counts
    return [((true, predicted), int(counts[true, predicted])) for true, predicted in zip(*counts.nonzero())]
