"""Which pictures a table has: a plot, confusion matrices, and the flow that its networks have learned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from repflow_mm.datasets.lists.class_names import class_names_beside
from repflow_mm.sweeps.confusion import write_confusions
from repflow_mm.sweeps.learned_flow import write_learned_flow
from repflow_mm.sweeps.pictures import ACCURACY_OVER_MS, BARS
from repflow_mm.sweeps.results import row_predictions
from repflow_mm.sweeps.rows import Row, read_yaml
from repflow_mm.sweeps.runs import Run

# What may follow a table's name in the file names of its pictures.
SUFFIXES = ('', '_confusion', '_flow')


class TablePictures(NamedTuple):
    """The pictures of a table.

    Args:
        plot (str): ``'bars'``, a bar for each row, or ``'accuracy_over_ms'``, each row's accuracy over the time that
            its networks take, once that is measured. Defaults to ``'bars'``.
        confusion (tuple[str, ...]): Rows whose confusion matrices are drawn. Defaults to none.
        flow (tuple[str, ...]): Rows of one network whose learned flow is shown. Defaults to none.
        classes (tuple[str, ...]): Names of the classes on whose clips it is. Defaults to none.
    """

    plot: str = BARS
    confusion: tuple[str, ...] = ()
    flow: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


def load_pictures(tables: dict[str, list[Row]], tables_file: str) -> dict[str, TablePictures]:
    """The pictures of tables, from ``pictures`` of the YAML file.

    Args:
        tables (dict[str, list[Row]]): The tables.
        tables_file (str): The YAML file, which need not exist.

    Returns:
        dict[str, TablePictures]: By the name of the table.

    Raises:
        ValueError: If a setting, a plot or a row is not known.
    """
    content, found = read_yaml(tables_file).get('pictures', {}), {}
    for table, rows in tables.items():
        settings, place = content.get(table, {}), f'{tables_file}: the pictures of table {table!r}'
        _check_names(f'{place} must have', settings, TablePictures._fields)
        values = {name: value if name == 'plot' else tuple(value) for name, value in settings.items()}
        pictures = found[table] = TablePictures(**values)
        _check_names(f'{place} must have as plot', [pictures.plot], (BARS, ACCURACY_OVER_MS))
        _check_names(f'{place} must be of rows', (*pictures.confusion, *pictures.flow), [row.name for row in rows])
    return found


def _check_names(what: str, names: Sequence[str], known: Sequence[str]) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f'{what} {", ".join(map(repr, known))}, got {unknown[0]!r}')


def write_pictures(
    name: str, rows: Sequence[Row], pictures: TablePictures, runs: Sequence[Run], work_dir: Path
) -> None:
    """Write ``<name>_confusion.png`` and ``<name>_flow.png`` of the rows that have finished runs.

    Args:
        name (str): The table's name.
        rows (Sequence[Row]): Its rows.
        pictures (TablePictures): What is shown.
        runs (Sequence[Run]): Runs of every network with every seed, and of every split if there are splits.
        work_dir (Path): Folder to write to.
    """
    named = {row.name: row for row in rows}
    predictions = {row: row_predictions(named[row], runs) for row in pictures.confusion}
    predictions = {row: found for row, found in predictions.items() if found}
    if predictions:
        classes = class_names_beside(runs[0].cfg.test_dataloader.dataset.ann_file)
        write_confusions(work_dir / f'{name}_confusion.png', predictions, classes)
    finished = {row: _first_finished(named[row], runs) for row in pictures.flow}
    finished = {row: run for row, run in finished.items() if run}
    if finished:
        write_learned_flow(work_dir / f'{name}_flow.png', finished, pictures.classes)


def _first_finished(row: Row, runs: Sequence[Run]) -> Run | None:
    """The first run of a row's network that is finished, and whose checkpoint is there."""
    finished = (run for run in runs if run.network in row.networks and run.result())
    return next((run for run in finished if (run.folder / 'last.pth').is_file()), None)
