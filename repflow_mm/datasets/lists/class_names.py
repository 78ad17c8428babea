"""The names of classes beside a list of samples."""

from __future__ import annotations

from pathlib import Path

SUFFIX = 'classes.txt'


def class_names_beside(ann_file: str | Path) -> list[str]:
    """Names from the file that the makers of lists write beside a list, in the order of the labels.

    That is ``<data set>_classes.txt`` for a list ``<data set>_<list>.txt``, else ``classes.txt``.

    Args:
        ann_file (str | Path): The list, which need not exist.

    Returns:
        list[str]: The names; none if there is no such file.
    """
    folder, name = Path(ann_file).parent, Path(ann_file).name
    files = [file for file in folder.glob(f'*_{SUFFIX}') if name.startswith(file.name.removesuffix(SUFFIX))]
    file = max(files, key=lambda file: len(file.name), default=folder / SUFFIX)
    if not file.is_file():
        return []
    return [line.strip() for line in file.read_text(encoding='utf-8').splitlines() if line.strip()]
