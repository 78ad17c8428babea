"""Files that appear under their names only when they are complete, and folders that one run at a time writes to."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

# A lock on a file system without locks that was not touched for so long is that of a run that has ended.
STALE_SECONDS = 300


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
def locked(out: Path, name: str = '.lock', patience: float = 0) -> Iterator[None]:
    """Keep a second run out of the folder; the lock goes with the process, however that ends.

    The kernel, or the server of a network file system, keeps the lock and lets go of it when its holder ends, on this
    host or another: who asks is refused only by a run that is alive. The file says who that is. On a file system
    without locks that entry decides: a holder on this host counts while its process is there, one on another host
    while it has touched the file in the last ``STALE_SECONDS``.

    Args:
        out (Path): An existing folder.
        name (str): The lock's file in it. Defaults to ``'.lock'``.
        patience (float): Seconds to wait for a run that is about to end. Defaults to 0.

    Raises:
        OSError: If another run holds the lock, with its process and host, or if the file cannot be written.
    """
    deadline = time.monotonic() + patience
    with open(out / name, 'a+') as file:
        while not (has_locks := _try_lock(file)) and (holder := _holder(file, has_locks)):
            if time.monotonic() >= deadline:
                raise OSError(f'another run is writing to {out} ({holder}); wait for it or take another folder')
            time.sleep(0.2)
        file.truncate(0)
        file.write(f'process {os.getpid()} on {socket.gethostname()}')
        file.flush()
        try:
            with contextlib.nullcontext() if has_locks else _touched(file):
                yield
        finally:
            file.truncate(0)


def _try_lock(file: TextIO) -> bool | None:
    """Whether the lock of a file is this process's; None where the file system has no locks."""
    try:
        # Not flock: the worker processes would inherit it and could outlive their parent.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            return False
        if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            return None
        raise
    return True


def _holder(file: TextIO, has_locks: bool | None) -> str:
    """Who holds a lock, as its file says; without locks '' if that one has ended."""
    file.seek(0)
    holder = file.read()
    if has_locks is not None:
        return holder or 'process unknown'
    found = re.fullmatch(r'process (\d+) on (\S+)', holder)
    if found is None:
        return ''
    if found[2] == socket.gethostname():
        return holder if found[1] != str(os.getpid()) and Path('/proc', found[1]).exists() else ''
    before = os.fstat(file.fileno()).st_mtime
    return holder if _server_time(Path(file.name)) - before < STALE_SECONDS else ''


def _server_time(path: Path) -> float:
    """The time by the clock that stamps a folder's files, which may be another host's."""
    with tempfile.TemporaryFile(dir=path.parent) as file:
        return os.fstat(file.fileno()).st_mtime


@contextmanager
def _touched(file: TextIO) -> Iterator[None]:
    """Renew the time of a file while the context lasts."""
    ended = threading.Event()

    def touch():
        while not ended.wait(STALE_SECONDS / 5):
            os.utime(file.fileno())

    thread = threading.Thread(target=touch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def sha256_of(path: str | Path) -> str:
    """The SHA-256 hash of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def check_writable(path: Path, what: str) -> None:
    """Check that a file or a folder of this name can be written, before anything long begins.

    A few bytes are written beside it, or into the nearest folder that exists, and removed.

    Args:
        path (Path): The file or the folder; it, and folders above it, need not exist.
        what (str): What the message calls it.

    Raises:
        OSError: If nothing can be written there; the message has the reason.
    """
    folder = path if path.is_dir() else path.parent
    try:
        if path.is_file() and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        while not folder.exists():
            folder = folder.parent
        with tempfile.NamedTemporaryFile(dir=folder, prefix='.') as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OSError(f'{what} {path} cannot be written: {error.strerror or error} ({folder})') from None


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
