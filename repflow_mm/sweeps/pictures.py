"""Pictures of a sweep's results."""

from __future__ import annotations

import statistics
from pathlib import Path

from matplotlib.figure import Figure

from repflow_mm.files import completed


def write_bars(path: Path, title: str, means: dict[str, dict[int, float]]) -> None:
    """Write a PNG: a bar for each row's mean over the seeds, a dot for each seed.

    Args:
        path (Path): The file.
        title (str): What stands above it.
        means (dict[str, dict[int, float]]): For each row its accuracies by seed.
    """
    figure = Figure(figsize=(7, 0.8 + 0.4 * len(means)), layout='constrained')
    axes = figure.subplots()
    for position, found in enumerate(means.values()):
        percent = [100 * value for value in found.values()]
        if percent:
            axes.barh(position, statistics.mean(percent), color='tab:blue', alpha=0.5)
            axes.plot(percent, [position] * len(percent), 'k.', markersize=5)
    axes.set(yticks=range(len(means)), yticklabels=means, ylim=(len(means) - 0.5, -0.5))
    axes.set(xlabel='top-1 accuracy, %', title=title, xlim=(0, 100))
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with completed(path) as temporary:
        figure.savefig(temporary, dpi=120)
