"""MMAction2's annotation lists: a video or a folder of frames a line, its path and its label or labels.

=============================  ==========================================================
list                           a line
=============================  ==========================================================
of videos                      ``path label``
of videos, several labels      ``path label label ...``
of parts of videos             ``path offset total_frames label``
of frames                      ``frame_dir total_frames label``
of frames, with offsets        ``frame_dir offset total_frames label``
of frames, several labels      ``frame_dir total_frames label label ...``
=============================  ==========================================================

Lines are read from their end, so that paths may hold blanks; blanks and tabs separate alike, unless another delimiter
is set. Blank lines are passed over. What a line cannot mean is an error that quotes it; lines and labels that only
repeat others are counted in one warning.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from mmengine.logging import print_log

from repflow_mm.progress import progress_bar

INTEGER = re.compile(r'[+-]?[0-9]+')
# Digits of the largest number that is taken for a label or a number of frames.
MOST_DIGITS = 9


@dataclass(frozen=True)
class ListEntry:
    """A line of a list: its number from 1 on, the path as it stands there (it may hold spaces), the label or labels."""

    number: int
    path: str
    label: int | tuple[int, ...]
    delimiter: str = field(default=' ', compare=False, kw_only=True)

    @property
    def labels(self) -> tuple[int, ...]:
        """The label or labels, in the order of the line."""
        return self.label if isinstance(self.label, tuple) else (self.label,)

    @property
    def line(self) -> str:
        """The line itself."""
        return self.delimiter.join(map(str, (self.path, *self.labels)))


@dataclass(frozen=True)
class FrameEntry(ListEntry):
    """A line of a list of frames, which also has their number, and that of the frames before the first one."""

    total_frames: int = 0
    offset: int | None = None

    @property
    def line(self) -> str:
        """The line itself."""
        offset = () if self.offset is None else (self.offset,)
        return ' '.join(map(str, (self.path, *offset, self.total_frames, *self.labels)))


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


def read_list(
    file: str | Path, delimiter: str | None = None, num_classes: int | None = None, several: bool = False
) -> list[ListEntry]:
    """Read a list of videos, lines such as ``abseiling/clip.mp4 0``.

    Args:
        file (str | Path): The list.
        delimiter (str, optional): What stands between path and label. Defaults to None, any blanks.
        num_classes (int, optional): Labels must be below it. Defaults to None.
        several (bool): Whether a line may have several labels; they are a tuple then. Defaults to False.

    Returns:
        list[ListEntry]: One entry for each line that is not blank.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is empty, a line is malformed, or two lines have the same path and other labels; the message
            quotes file, line number and line.
    """
    parse = partial(_parse_video, delimiter=delimiter, several=several)
    return _read(file, parse, num_classes)


def read_video_list(
    file: str | Path,
    delimiter: str | None = None,
    num_classes: int | None = None,
    several: bool = False,
    with_offset: bool = False,
) -> list[ListEntry]:
    """Read a list of videos, or, with ``with_offset``, of parts of videos, whose lines are those of parts of frames.

    Args:
        file (str | Path): The list.
        delimiter (str, optional): As for :func:`read_list`. Defaults to None.
        num_classes (int, optional): Labels must be below it. Defaults to None.
        several (bool): Whether a line may have several labels; they are a tuple then. Defaults to False.
        with_offset (bool): Whether lines have an offset and a number of frames before the label. Defaults to False.

    Returns:
        list[ListEntry]: One entry for each line that is not blank; a :class:`FrameEntry` where it is of a part.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: As for :func:`read_list` and :func:`read_frame_list`, or if a delimiter is set for parts.
    """
    if not with_offset:
        return read_list(file, delimiter, num_classes, several)
    if delimiter is not None:
        raise ValueError(f'{file}: with_offset=True needs lines of blanks, got delimiter={delimiter!r}')
    return read_frame_list(file, True, num_classes, several)


def read_frame_list(
    file: str | Path, with_offset: bool = False, num_classes: int | None = None, several: bool = False
) -> list[FrameEntry]:
    """Read a list of frames, lines such as ``abseiling/clip 300 0``.

    Args:
        file (str | Path): The list.
        with_offset (bool): Whether lines have an offset before the number of frames. Defaults to False.
        num_classes (int, optional): Labels must be below it. Defaults to None.
        several (bool): Whether a line may have several labels; they are a tuple then. Defaults to False.

    Returns:
        list[FrameEntry]: One entry for each line that is not blank.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: As for :func:`read_list`; with offsets, lines of the same path may have other labels.
    """
    return _read(file, partial(parse_frames, with_offset=with_offset, several=several), num_classes)


def parse_frames(number: int, line: str, with_offset: bool, several: bool) -> FrameEntry:
    """Read a line of a list of frames, see :func:`read_frame_list`; the error of a malformed one lacks its place."""
    numbers = ('offset', 'total_frames') if with_offset else ('total_frames',)
    expected = f"'frame_dir {' '.join(numbers)} label'"
    path, values = _labels_taken_off(line, None, True, expected)
    count = len(numbers)
    if len(values) <= count:
        raise ValueError(f'expected {expected}; a list of videos needs CheckedVideoDataset')
    if not several and len(values) > count + 1:
        raise ValueError(f'expected {expected}, got {len(values)} numbers; several labels need multi_class=True')
    total_frames, offset = values[count - 1], values[0] if with_offset else None
    if total_frames < 1:
        raise ValueError(f'total_frames must be >= 1, got {total_frames}')
    if offset is not None and offset < 0:
        raise ValueError(f'the offset must be >= 0, got {offset}')
    labels = values[count:] if several else values[count]
    return FrameEntry(number, _checked_path(path, None), labels, total_frames, offset)


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


def _read(file: str | Path, parse: Callable, num_classes: int | None) -> list:
    """Entries that ``parse(number, line)`` makes of the lines, once their labels are known to be possible."""
    entries = []
    for number, line in read_lines(file, 'annotation list'):
        try:
            entry = parse(number, line)
            _check_labels(entry.labels, num_classes)
        except ValueError as error:
            raise ValueError(f'{file}, line {number}: {line!r}: {error}') from None
        entries.append(entry)
    _check_repetitions(file, entries)
    return entries


def _parse_video(number: int, line: str, delimiter: str | None, several: bool) -> ListEntry:
    path, labels = _labels_taken_off(line, delimiter, several, f"'path{delimiter or ' '}label'")
    words = path.split()
    if delimiter is None and not several and len(words) > 1 and INTEGER.fullmatch(words[-1]):
        raise ValueError(
            'a list of videos has one number a line, the label; frames need CheckedRawframeDataset, several labels '
            'multi_class=True, parts of videos with_offset=True'
        )
    label = labels if several else labels[0]
    return ListEntry(number, _checked_path(path, delimiter), label, delimiter=delimiter or ' ')


def _labels_taken_off(line: str, delimiter: str | None, several: bool, expected: str) -> tuple[str, tuple[int, ...]]:
    """A line without the integer at its end, or all integers at its end, and these in their order."""
    path, *rest = line.rsplit(delimiter, 1)
    if not rest or not path.strip():
        raise ValueError(f'expected {expected}{_separator_hint(line, delimiter)}')
    if not INTEGER.fullmatch(rest[0].strip()):
        raise ValueError(f'the label must be an integer, got {rest[0]!r}{_separator_hint(line, delimiter)}')
    labels = [_integer(rest[0])]
    while several:
        head, *rest = path.rstrip().rsplit(delimiter, 1)
        if not rest or not INTEGER.fullmatch(rest[0].strip()):
            break
        path, labels = head, [_integer(rest[0]), *labels]
    return path.strip(), tuple(labels)


def _integer(field: str) -> int:
    if len(field.strip()) > MOST_DIGITS:
        raise ValueError(f'the label must have {MOST_DIGITS} digits at most, got {len(field.strip())}')
    return int(field)


def _separator_hint(line: str, delimiter: str | None) -> str:
    """What to set where something else than the delimiter stands before a number at the end."""
    found = re.search(r'([,;|])\s*[0-9]+$', line)
    return f'; the dataset takes delimiter={found[1]!r}' if found and found[1] != delimiter else ''


def _checked_path(path: str, delimiter: str | None) -> str:
    if path[-1] in ',;|' and delimiter != path[-1]:
        raise ValueError(f'the path ends in {path[-1]!r}; if that separates, the dataset takes delimiter={path[-1]!r}')
    if len(path) > 1 and path[0] == path[-1] and path[0] in '\'"`':
        raise ValueError('paths stand without quotes, also those that hold blanks')
    if '\0' in path:
        raise ValueError('the path holds a null character')
    return path


def _check_labels(labels: Sequence[int], num_classes: int | None) -> None:
    for label in labels:
        if label < 0 or (num_classes is not None and label >= num_classes):
            allowed = 'be >= 0' if num_classes is None else f'lie in [0, {num_classes})'
            raise ValueError(f'the label must {allowed}, got {label}')


def _check_repetitions(file: str | Path, entries: Sequence[ListEntry]) -> None:
    """Raise ValueError for lines that contradict each other; warn of what is only said twice."""
    seen, repeated = {}, []
    for entry in entries:
        first = seen.setdefault((os.path.normpath(entry.path), getattr(entry, 'offset', None)), entry)
        if set(first.labels) != set(entry.labels):
            raise ValueError(
                f'{file}, line {entry.number}: {entry.line!r}: the same path has other labels on line {first.number}: '
                f'{first.line!r}'
            )
        if first is not entry:
            repeated.append(entry.number)
    doubled = [entry.number for entry in entries if len(set(entry.labels)) < len(entry.labels)]
    parts = [_counted(repeated, 'repeat an earlier line'), _counted(doubled, 'have a label twice')]
    if repeated or doubled:
        print_log(f'{file}: {"; ".join(filter(None, parts))}', logger='current', level=logging.WARNING)


def _counted(numbers: Sequence[int], what: str) -> str:
    return f'{len(numbers)} lines {what}, the first is line {numbers[0]}' if numbers else ''
