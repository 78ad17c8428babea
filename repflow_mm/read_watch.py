"""Reads of data that never end: which file it is, and an end.

A decoder may hang, and may hold Python's lock while it does, so that nothing in its process can be relied on. Each
process that reads notes what it reads in a small file of its own. A watcher, a process beside the run, looks at these
files every second; it ends a process that has been at the same read for too long (SIGKILL) and says what it read. As a
program, this module is the watcher; it needs the standard library alone.
"""

from __future__ import annotations

import mmap
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

INTERVAL = 1.0
NOTE_SIZE = 4096
ENDED_FILE = 'ended.txt'
NUMBER = struct.Struct('=Q')


class ReadNotes:
    """Where a process notes what it reads, for the watcher; a process that is started later notes it for itself.

    Args:
        folder (str | Path): The watcher's folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = str(folder)
        self._pid, self._note, self._number = None, None, 0

    def __getstate__(self) -> dict:
        return dict(folder=self.folder, _pid=None, _note=None, _number=0)

    def __deepcopy__(self, memo: dict) -> ReadNotes:
        return ReadNotes(self.folder)

    @contextmanager
    def reading(self, name: str) -> Iterator[None]:
        """Note that a file is being read, until the block ends."""
        if self._pid != os.getpid():
            self._open()
        # The number says that the name is whole; each read has another one.
        self._number += 1
        name = name.encode(errors='surrogateescape')[: NOTE_SIZE - NUMBER.size - 1] + b'\0'
        self._note[NUMBER.size : NUMBER.size + len(name)] = name
        NUMBER.pack_into(self._note, 0, self._number)
        try:
            yield
        finally:
            NUMBER.pack_into(self._note, 0, 0)

    def _open(self) -> None:
        self._pid, self._number = os.getpid(), 0
        try:
            with open(Path(self.folder, str(self._pid)), 'w+b') as file:
                file.truncate(NOTE_SIZE)
                self._note = mmap.mmap(file.fileno(), NOTE_SIZE)
        except FileNotFoundError:
            self._note = mmap.mmap(-1, NOTE_SIZE)  # the watcher has been stopped: nobody looks


class ReadWatch:
    """The watcher of this process and of those that it starts; it ends with this process, however that ends.

    Args:
        timeout (float): Seconds that a read may take; time in which its process is stopped (SIGSTOP) does not count.

    Attributes:
        notes (ReadNotes): What readers note their reads with.
    """

    def __init__(self, timeout: float) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix='repflow_mm_reads_'))
        self.notes = ReadNotes(self.folder)
        command = [sys.executable, '-I', '-S', __file__, self.folder, os.getpid(), timeout]
        # In a session of its own, so that it outlives this process and leaves nothing behind.
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, start_new_session=True)

    def ended(self) -> list[str]:
        """What was being read by processes that were ended, the first one first."""
        file = self.folder / ENDED_FILE
        return file.read_text(errors='surrogateescape').splitlines() if file.exists() else []

    def open_reads(self) -> list[str]:
        """What is being read at this moment."""
        return [name for _, number, name in _notes(self.folder) if number]

    def unfinished_reads(self) -> list[str]:
        """What was being read by processes that have ended without being ended by the watcher, as in a crash."""
        return [name for pid, number, name in _notes(self.folder) if number and _state_and_parent(pid)[0] in 'ZX']

    def stop(self) -> None:
        """End the watcher and remove its folder."""
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def watch(folder: Path, parent: int, timeout: float) -> None:
    """Look after the processes that note their reads in a folder, as long as the parent lives.

    Args:
        folder (Path): The folder; it is removed at the end.
        parent (int): The process that started this one.
        timeout (float): Seconds that a read may take.
    """
    seconds, before = {}, time.monotonic()
    while os.getppid() == parent:
        time.sleep(INTERVAL)
        now = time.monotonic()
        # Where this process did not run itself, the others may not have run either.
        step, before = min(now - before, 2 * INTERVAL), now
        reads = {(pid, number): name for pid, number, name in _notes(folder) if number}
        # A read that is new has no time yet: when in the last step it began is not known.
        seconds = {
            read: seconds[read] + _running_time(read[0], step, parent) if read in seconds else 0.0 for read in reads
        }
        for (pid, number), name in reads.items():
            if seconds[pid, number] > timeout:
                _end(folder, pid, name, timeout)
    shutil.rmtree(folder, ignore_errors=True)


def _notes(folder: Path) -> Iterator[tuple[int, int, str]]:
    """Process, number of its read (0 for none), and what it reads."""
    for file in folder.glob('[0-9]*'):
        try:
            content = file.read_bytes()
        except OSError:
            continue
        if len(content) == NOTE_SIZE:
            name = content[NUMBER.size :].partition(b'\0')[0].decode(errors='surrogateescape')
            yield int(file.name), NUMBER.unpack_from(content)[0], name


def _running_time(pid: int, step: float, parent: int) -> float:
    """Seconds of the last step in which a process was at work: none if it is stopped, or no process of the parent's."""
    if not os.path.isdir('/proc/self'):
        return step
    state, ancestor = _state_and_parent(pid)
    if state in 'TtZX':
        return 0.0
    ancestors = {pid}
    while ancestor > 1 and ancestor not in ancestors:
        ancestors.add(ancestor)
        ancestor = _state_and_parent(ancestor)[1]
    return step if parent in ancestors else 0.0


def _state_and_parent(pid: int) -> tuple[str, int]:
    try:
        state, parent = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[:2]
    except OSError:
        return 'X', 0
    return state, int(parent)


def _end(folder: Path, pid: int, name: str, timeout: float) -> None:
    with open(folder / ENDED_FILE, 'a', errors='surrogateescape') as file:
        file.write(f'{name}\n')
    line = f'error: {name}: reading it took more than {timeout:g} s, so its process {pid} is ended. {ADVICE}\n'
    sys.stderr.write(line.encode('utf-8', 'replace').decode())
    sys.stderr.flush()
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    (folder / str(pid)).unlink(missing_ok=True)


ADVICE = (
    'Take it off the list, as check_videos does with all that hang; --cfg-options default_hooks.read_watch.timeout=... '
    'allows more time'
)


if __name__ == '__main__':
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watch(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
