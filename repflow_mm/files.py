"""Files that appear under their names only when they are complete, and folders that one run at a time writes to."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


def temporary_name(path: Path) -> Path:
    """Where a file is written until it is complete: beside it, hidden, with its suffix."""
    return path.with_name(f'.{path.stem}.tmp{path.suffix}')


def write_text(path: Path, lines: Sequence[str]) -> None:
    """Write a text file at once; it is left alone if it has these lines."""
    text = ''.join(f'{line}\n' for line in lines)
    if path.exists() and path.read_text(encoding='utf-8') == text:
        return
    temporary = temporary_name(path)
    temporary.write_text(text, encoding='utf-8')
    os.replace(temporary, path)


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
