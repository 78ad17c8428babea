"""Figures of matplotlib as files."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from repflow_mm.files import completed


def save_figure(figure: Figure, path: str | Path, dpi: int = 120) -> None:
    """Write a figure to an image file that appears whole.

    Args:
        figure (Figure): The figure, made by itself and not by pyplot, which would keep it and may want a screen.
        path (str | Path): The file; its suffix says which format.
        dpi (int): Dots to the inch of the figure's size. Defaults to 120.
    """
    with completed(Path(path)) as temporary:
        figure.savefig(temporary, dpi=dpi)
