"""What broken data raises: samples whose files are at fault, and not the program or the machine."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

# Errors of the system that a file has by itself. Others, such as too many open files, are the machine's.
FILE_ERRNOS = frozenset(
    (errno.EACCES, errno.EPERM, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EIO, errno.ESTALE)
)


class BadDataError(ValueError):
    """A video, image or flow file that cannot be used.

    Training takes another sample in its place and testing counts it as wrong; see
    docs/data.md. Whatever else a transform raises is an error of the program.

    Args:
        message (str): What is wrong, with the file's name.
        path (str): The file. Defaults to ``''``, not known.
        status (str): A word for the kind: ``'missing'``, ``'empty'``, ``'corrupt'``, ``'short'``, ``'unreadable'`` or
            another one. Defaults to ``'corrupt'``.

    Attributes:
        place (str): The list and its line that name the file, once :meth:`located` has been told.
    """

    # A data worker's errors are made anew from their message alone, so the rest is optional.
    def __init__(self, message: str, path: str = '', status: str = 'corrupt') -> None:
        super().__init__(message)
        self.path, self.status, self.place = path, status, ''

    def located(self, place: str, path: str) -> None:
        """Put the place, such as ``'train.txt, line 3'``, before the message; the path counts if none is known."""
        if not self.place:
            self.args = (f'{place}: {self}',)
            self.path, self.place = self.path or path, place


class MissingDataError(BadDataError, FileNotFoundError):
    """A file that does not exist.

    Args:
        message (str): What is missing, with its name.
        path (str): The file. Defaults to ``''``, not known.
    """

    def __init__(self, message: str, path: str = '') -> None:
        super().__init__(message, path, 'missing')


@contextmanager
def named_file_errors(path: str, kind: str) -> Iterator[None]:
    """Raise what the system says of one file as broken data that names it.

    Args:
        path (str): The file.
        kind (str): What it is, e.g. ``'image'``.

    Raises:
        MissingDataError: If the file, or a folder above it, does not exist.
        BadDataError: If it cannot be read.
        OSError: If the machine is at fault, as with too many open files.
    """
    try:
        yield
    except BadDataError:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingDataError(f'{kind} {path} does not exist', path) from error
    except OSError as error:
        if error.errno not in FILE_ERRNOS:
            raise
        raise BadDataError(f'{kind} {path} cannot be read: {error.strerror}', path, 'unreadable') from error
