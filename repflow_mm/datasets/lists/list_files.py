"""MMAction2's annotation lists: one video a line, its path and its label."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from repflow_mm.progress import progress_bar


@dataclass(frozen=True)
class ListEntry:
    """A line of a list: its number from 1 on, the video's path as it stands there (it may hold spaces), the label."""

    number: int
    path: str
    label: int

    @property
    def line(self) -> str:
        """The line itself."""
        return f'{self.path} {self.label}'


def read_lines(file: str | Path, kind: str) -> list[tuple[int, str]]:
    """The lines of a text file that are not blank, stripped, with their numbers from 1 on.

    Args:
        file (str | Path): The file, UTF-8.
        kind (str): What the file is, for the errors.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is empty or no text.
    """
    if not Path(file).is_file():
        raise FileNotFoundError(f'{kind} {file} does not exist')
    try:
        text = Path(file).read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise ValueError(f'{kind} {file} is no UTF-8 text: {error.reason} at byte {error.start}') from None
    lines = [(number, line.strip()) for number, line in enumerate(text.split('\n'), start=1) if line.strip()]
    if not lines:
        raise ValueError(f'{kind} {file} is empty')
    return lines


def read_list(file: str | Path, delimiter: str | None = None, num_classes: int | None = None) -> list[ListEntry]:
    """Read a list of lines ``path label``, e.g. ``abseiling/clip.mp4 0``.

    Args:
        file (str | Path): The list.
        delimiter (str, optional): What stands between path and label. Defaults to None, any blanks.
        num_classes (int, optional): Labels must be below it. Defaults to None.

    Returns:
        list[ListEntry]: One entry for each line that is not blank.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is empty or a line is malformed; the message quotes file, line number and line.
    """
    lines = read_lines(file, 'annotation list')
    return [_parse(f'{file}, line {number}', number, line, delimiter, num_classes) for number, line in lines]


def check_unique(file: str | Path, entries: Iterable[ListEntry]) -> None:
    """Raise ValueError, naming both lines, if a list names a video twice."""
    seen = {}
    for entry in entries:
        first = seen.setdefault(entry.path, entry)
        if first is not entry:
            raise ValueError(f'{file}, line {entry.number}: {entry.path!r} is on line {first.number} already')


def check_inside(file: str | Path, paths: Iterable[tuple[int, str]], folder: str | Path, allow_outside: bool) -> None:
    """Check that a list names nothing outside of its folder; a list may come from elsewhere.

    Paths are judged as they read: links within the folder are followed.

    Args:
        file (str | Path): The list, for the error.
        paths (Iterable[tuple[int, str]]): Number of each line, and the path on it.
        folder (str | Path): What the paths are relative to; ``''`` is the working folder.
        allow_outside (bool): Whether paths such as ``../a.mp4`` and ``/data/a.mp4`` are taken all the same.

    Raises:
        ValueError: If a path is the folder itself, or lies outside of it.
    """
    for number, path in paths:
        if not os.path.isabs(path) and not {'.', '..'} & set(path.split('/')):
            continue  # the common case, for long lists
        first = os.path.relpath(os.path.join(folder, path), folder or '.').split('/')[0]
        if first == '.':
            raise ValueError(f'{file}, line {number}: {path!r} is the folder {folder or "."} itself')
        if first == '..' and not allow_outside:
            where = f'lies outside of the folder {folder or "."}; only allow_outside takes it'
            raise ValueError(f'{file}, line {number}: {path!r} {where}')


def missing_files(folder: str | Path, paths: Iterable[str], title: str = '') -> list[str]:
    """Those of the paths, relative to a folder, that have no file; shows its progress under the title.

    Raises:
        FileNotFoundError: If the folder does not exist.
    """
    if not Path(folder).is_dir():
        raise FileNotFoundError(f'folder of videos {folder} does not exist')
    paths = list(paths)
    return [path for path in progress_bar(paths, title, unit='clip') if not Path(folder, path).is_file()]


def _parse(place: str, number: int, line: str, delimiter: str | None, num_classes: int | None) -> ListEntry:
    place = f'{place}: {line!r}'
    path, *rest = line.rsplit(delimiter, 1)
    if not rest:
        raise ValueError(f"{place}: expected 'path{delimiter or ' '}label'")
    try:
        label = int(rest[0])
    except ValueError:
        raise ValueError(f'{place}: the label must be an integer, got {rest[0]!r}') from None
    if label < 0 or (num_classes is not None and label >= num_classes):
        allowed = 'be >= 0' if num_classes is None else f'lie in [0, {num_classes})'
        raise ValueError(f'{place}: the label must {allowed}, got {label}')
    return ListEntry(number, path.rstrip(), label)
