"""Files that appear under their names only when they are complete, and folders that one run at a time writes to."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


def temporary_name(path: Path) -> Path:
    """Where a file is written until it is complete: beside it, hidden, with its suffix."""
    return path.with_name(f'.{path.stem}.tmp{path.suffix}')


@contextmanager
def completed(path: Path, durable: bool = False) -> Iterator[Path]:
    """A temporary file to write to, which gets its name ``path`` at the end, or is gone if there was an error.

    Args:
        path (Path): The file.
        durable (bool): Whether to wait until the disk has the file, so that it is whole after a power cut too.
            Defaults to False.
    """
    # Each process has its own: the jobs of a sweep write the same tables.
    temporary = temporary_name(path.with_name(f'{path.stem}.{os.getpid()}{path.suffix}'))
    try:
        yield temporary
        if durable:
            _wait_for_disk(temporary)
        os.replace(temporary, path)
        if durable:
            _wait_for_disk(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path, suffix: str) -> list[Path]:
    """Remove what killed processes left of files with this suffix; returns what was removed."""
    leftovers = sorted(folder.glob(f'.*.tmp{suffix}'))
    for path in leftovers:
        path.unlink(missing_ok=True)
    return leftovers


def _wait_for_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot do it for folders.
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP) or not path.is_dir():
            raise
    finally:
        os.close(descriptor)


def write_text(path: Path, lines: Sequence[str]) -> None:
    """Write a text file at once; it is left alone if it has these lines."""
    text = ''.join(f'{line}\n' for line in lines)
    if path.exists() and path.read_text(encoding='utf-8') == text:
        return
    with completed(path) as temporary:
        temporary.write_text(text, encoding='utf-8')


def write_json(path: Path, data: object) -> None:
    """Write what JSON can hold at once, as indented text."""
    write_text(path, [json.dumps(data, indent=2)])


@contextmanager
def locked(out: Path, name: str = '.lock') -> Iterator[None]:
    """Keep a second run out of the folder; the lock goes with the process, however that ends."""
    with open(out / name, 'w') as file:
        try:
            # Not flock: the worker processes would inherit it and could outlive their parent.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                raise OSError(f'another run is writing to {out}; wait for it or take another folder') from None
            # Some network file systems have no locks; what is written is whole there too.
            if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
                raise
        yield


def claim_folder(
    folder: Path, name: str, parameters: dict, what: str, advice: str = '', clear: Callable[[], None] | None = None
) -> None:
    """See that a folder is empty or was filled with these parameters, and leave them there in a JSON file.

    Args:
        folder (Path): The folder; hidden files in it do not count.
        name (str): Name of the JSON file.
        parameters (dict): What JSON can hold.
        what (str): What the folder is filled with, for the errors.
        advice (str): What else than another folder would help, for the errors. Defaults to none.
        clear (Callable, optional): Empties the folder of what other parameters made; without it, a folder with
            other parameters is refused. Defaults to None.

    Raises:
        ValueError: If the folder holds something else, or what other parameters made.
    """
    file = folder / name
    # Through JSON, so that tuples compare equal to the lists they come back as.
    parameters = json.loads(json.dumps(parameters))
    others = [entry.name for entry in folder.iterdir() if not entry.name.startswith('.')]
    if others and not file.exists():
        raise ValueError(f'{folder} holds {sorted(others)[:5]} but no {name}; take an empty folder')
    if file.exists() and clear:
        clear()
    elif file.exists():
        _check_same(file, parameters, what, f'Take another folder{", " if advice else ""}{advice}.')
    write_json(file, parameters)


def _check_same(file: Path, parameters: dict, what: str, advice: str) -> None:
    try:
        found = dict(json.loads(file.read_text()))
    except (ValueError, TypeError) as error:
        raise ValueError(f'{file} cannot be read ({error}). {advice}') from None
    names = [name for name in {**parameters, **found} if found.get(name) != parameters.get(name)]
    if names:
        differences = ', '.join(f'{name}={found.get(name)!r} (now {parameters.get(name)!r})' for name in names)
        raise ValueError(f'{file.parent} holds {what} made with {differences}. {advice}')
