"""What the makers of lists write beside a list: the names of its classes, and more."""

from __future__ import annotations

from pathlib import Path

from repflow_mm.datasets.lists.list_files import read_lines

SUFFIX = 'classes.txt'


def class_names_beside(ann_file: str | Path) -> list[str]:
    """Names from the file that the makers of lists write beside a list, in the order of the labels.

    That is ``<data set>_classes.txt`` for a list ``<data set>_<list>.txt``, else ``classes.txt``.

    Args:
        ann_file (str | Path): The list, which need not exist.

    Returns:
        list[str]: The names; none if there is no such file.
    """
    file = file_beside(ann_file, SUFFIX) or Path(ann_file).parent / SUFFIX
    if not file.is_file():
        return []
    return [line.strip() for line in file.read_text(encoding='utf-8').splitlines() if line.strip()]


def read_class_names(path: str | Path) -> list[str]:
    """Names of classes from a file that has one a line, in the order of the labels.

    Raises:
        FileNotFoundError, ValueError: As :func:`repflow_mm.datasets.lists.list_files.read_lines` has it.
    """
    return [line for _, line in read_lines(path, 'file of class names')]


def file_beside(ann_file: str | Path, ending: str) -> Path | None:
    """The file ``<data set>_<ending>`` beside a list ``<data set>_<list>.txt``; None if there is none.

    A folder may have several data sets, and the name of one may begin with another's: the longest that fits counts.
    """
    folder, name = Path(ann_file).parent, Path(ann_file).name
    files = [file for file in folder.glob(f'*_{ending}') if name.startswith(file.name.removesuffix(ending))]
    return max(files, key=lambda file: len(file.name), default=None)
