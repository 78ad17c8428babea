"""Decoding of videos in worker processes that may crash or hang without ending the run."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import re
import time
from collections.abc import Callable, Iterable, Iterator

from repflow_mm.processes import start_worker

# Decord keeps some memory for every video that it opens.
VIDEOS_PER_WORKER = 500


def decode_all(
    paths: Iterable[str], jobs: int, timeout: float, decode: Callable[[str], dict] | None = None
) -> Iterator[tuple[str, dict]]:
    """Decode every frame of every video, several at a time.

    Args:
        paths (Iterable[str]): The videos.
        jobs (int): Number of processes.
        timeout (float): Seconds that one video may take.
        decode (Callable, optional): A module's function that decodes one video. Defaults to :func:`decode_video`.

    Yields:
        tuple[str, dict]: As each is done, the path and its result, see :func:`decode_video`. A video that takes
        too long has the status ``'timeout'``, one that ends its process ``'crash'``.
    """
    waiting = iter(paths)
    workers = [_Worker(decode or decode_video) for _ in range(jobs)]
    try:
        busy = [worker for worker in workers if worker.take(waiting, timeout)]
        while busy:
            patience = max(0.0, min(worker.deadline for worker in busy) - time.monotonic())
            multiprocessing.connection.wait([worker.connection for worker in busy], patience)
            for worker in list(busy):
                result = worker.result(timeout)
                if result is None:
                    continue
                yield worker.path, result
                if not worker.take(waiting, timeout):
                    busy.remove(worker)
    finally:
        for worker in workers:
            worker.stop()


class _Worker:
    """A process that decodes one video at a time; it is started anew when it has died or done many."""

    def __init__(self, decode: Callable[[str], dict]) -> None:
        self.decode, self.process = decode, None
        self.path, self.deadline, self.done = '', 0.0, 0

    def take(self, waiting: Iterator[str], timeout: float) -> bool:
        """Begin the next video that is waiting; False if there is none."""
        path = next(waiting, None)
        if path is None:
            return False
        if self.process is None or not self.process.is_alive() or self.done >= VIDEOS_PER_WORKER:
            self.stop()
            self._start()
        self.path, self.deadline = path, time.monotonic() + timeout
        self.connection.send(path)
        return True

    def result(self, timeout: float) -> dict | None:
        """The result of the video at hand, or None while it is decoded."""
        try:
            if self.connection.poll():
                self.done += 1
                return self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            code = self.process.exitcode
            self.stop()
            how = f'signal {-code}' if code < 0 else f'exit status {code}'
            return dict(status='crash', message=f'decoding ended its process with {how}')
        if time.monotonic() < self.deadline:
            return None
        self.stop()
        return dict(status='timeout', message=f'decoding took more than {timeout:g} s')

    def _start(self) -> None:
        # Decord may hang in a process that was forked from one whose threads run; the fork server has none.
        context = multiprocessing.get_context('forkserver')
        context.set_forkserver_preload([__name__])
        self.connection, other = context.Pipe()
        process = context.Process(target=_work, args=(other, self.decode), daemon=True)
        process.start()
        self.process = process
        other.close()
        self.connection.recv()  # ready: starting the server takes seconds, which are not the first video's
        self.done = 0

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.connection.close()
            self.process = None


def _work(connection: multiprocessing.connection.Connection, decode: Callable[[str], dict]) -> None:
    start_worker()
    connection.send('ready')
    while True:
        try:
            path = connection.recv()
        except EOFError:
            return
        connection.send(decode(path))


def decode_video(path: str) -> dict:
    """Decode every frame of a video, in order and then some of them again by seeking, as training does.

    Args:
        path (str): The video.

    Returns:
        dict: ``status``: ``'ok'``, ``'missing'``, ``'empty'`` (no bytes or no frames) or ``'corrupt'``; ``frames``,
        the number of frames decoded; ``message``, what is wrong.
    """
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    frames = 0
    try:
        with open(path, 'rb') as file:
            if not file.read(1):
                return dict(status='empty', frames=0, message='the file has no bytes')
        reader = decord.VideoReader(path, num_threads=1)
        expected = len(reader)
        for _ in range(expected):
            reader.next()
            frames += 1
        if expected:
            reader.get_batch(sorted({0, expected // 2, expected - 1}, reverse=True))
    except FileNotFoundError:
        return dict(status='missing', frames=0, message='the file does not exist')
    except Exception as error:  # whatever decord raises (its DECORDError is a bare Exception), the video is bad
        return dict(status='corrupt', frames=frames, message=_reason(error))
    if not frames:
        return dict(status='empty', frames=0, message='the video has no frames')
    return dict(status='ok', frames=frames, message='')


def _reason(error: Exception) -> str:
    """Decord's message without its stack trace, times and source files."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return re.sub(r'\[\d\d:\d\d:\d\d\] \S+: ', '', lines[0]) if lines else type(error).__name__
