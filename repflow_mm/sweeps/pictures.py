"""Pictures of a sweep's results."""

from __future__ import annotations

import statistics
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator

from repflow_mm.visualization.figures import save_figure

# What the picture of a table may show.
BARS, ACCURACY_OVER_MS = 'bars', 'accuracy_over_ms'
# What rows without a reference are called.
PLAIN = 'plain'
# Per cent, with room for a point at the top.
LIMITS = (0, 103)


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
    axes.set(xlabel='top-1 accuracy, %', title=title, xlim=LIMITS)
    save_figure(figure, path)


def write_accuracy_over_ms(
    path: Path,
    title: str,
    means: dict[str, dict[int, float]],
    milliseconds: dict[str, float],
    references: dict[str, str],
) -> None:
    """Write a PNG: each row's accuracy, mean and standard deviation over the seeds, over the time it takes for a clip.

    A row without a reference is plain. What another's name has after that of its reference is its kind; kinds differ in
    colour, every point is labelled with its plain row, and a line joins the two.

    Args:
        path (Path): The file.
        title (str): What stands above it.
        means (dict[str, dict[int, float]]): For each row its accuracies by seed, one or more.
        milliseconds (dict[str, float]): For each row the time for a clip.
        references (dict[str, str]): For rows the row that they are compared with.
    """
    figure = Figure(figsize=(8, 5.5), layout='constrained')
    axes = figure.subplots()
    percent = {row: [100 * value for value in found.values()] for row, found in means.items()}
    places = {row: (milliseconds[row], statistics.mean(values)) for row, values in percent.items()}
    kinds = {row: row.removeprefix(references.get(row, row)).strip(' ,+') or PLAIN for row in percent}
    for row, reference in references.items():
        if row in places and reference in places:
            axes.plot(*zip(places[reference], places[row]), color='0.8', linewidth=1, zorder=1)
    for number, kind in enumerate(dict.fromkeys(kinds.values())):
        rows = [row for row in percent if kinds[row] == kind]
        spread = [statistics.stdev(percent[row]) if len(percent[row]) > 1 else 0 for row in rows]
        x, y = zip(*(places[row] for row in rows))
        axes.errorbar(x, y, spread, fmt='o', color=f'C{number}', capsize=3, label=kind)
    style = dict(va='top', fontsize=8, path_effects=[withStroke(linewidth=2, foreground='white')])
    for row, place in places.items():
        axes.annotate(references.get(row, row), place, xytext=(5, -3), textcoords='offset points', **style)
    _scale_axes(axes, title)
    figure.legend(loc='outside lower center', ncols=len(set(kinds.values())))
    save_figure(figure, path)


def _scale_axes(axes: Axes, title: str) -> None:
    """Milliseconds by their logarithm, with plain numbers, and per cent."""
    axes.set(xscale='log', xlabel='ms a clip', ylabel='top-1 accuracy, %', title=title, ylim=LIMITS)
    axes.margins(x=0.1)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter('{x:g}')
    axes.xaxis.set_minor_formatter('')
