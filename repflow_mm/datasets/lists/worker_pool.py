"""Work on videos in processes that may crash or hang without ending the run."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeVar

import torch

from repflow_mm.processes import start_worker

# Decord keeps some memory for every video that it opens.
VIDEOS_PER_WORKER = 500

Item = TypeVar('Item')
Work = Callable[[Item, Callable[[], None]], dict]


def run_all(work: Work, items: Iterable[Item], jobs: int, timeout: float) -> Iterator[tuple[Item, dict]]:
    """Do the same work on every item, several at a time.

    Args:
        work (Callable): ``work(item, alive)`` returns the item's result, a dict; a module's function or a partial
            of one. Its time begins anew whenever it calls ``alive()``.
        items (Iterable): What is worked on, each to be pickled.
        jobs (int): Number of processes.
        timeout (float): Seconds that ``work`` may take, or may be silent if it calls ``alive()``.

    Yields:
        tuple[Item, dict]: As each is done, the item and its result; ``status`` and ``message`` in place of a result
        are ``'timeout'`` for an item that takes too long, ``'crash'`` for one that ends its process.

    Raises:
        Exception: What ``work`` raises; the other processes are ended then.
    """
    waiting = iter(items)
    workers = [_Worker(work) for _ in range(jobs)]
    try:
        busy = [worker for worker in workers if worker.take(waiting, timeout)]
        while busy:
            patience = max(0.0, min(worker.deadline for worker in busy) - time.monotonic())
            multiprocessing.connection.wait([worker.connection for worker in busy], patience)
            for worker in list(busy):
                result = worker.result(timeout)
                if result is None:
                    continue
                yield worker.item, result
                if not worker.take(waiting, timeout):
                    busy.remove(worker)
    finally:
        for worker in workers:
            worker.stop()


class _Worker:
    """A process that works on one item at a time; it is started anew when it has died or done many."""

    def __init__(self, work: Work) -> None:
        self.work, self.process = work, None
        self.item, self.deadline, self.done = None, 0.0, 0

    def take(self, waiting: Iterator[Item], timeout: float) -> bool:
        """Begin the next item that is waiting; False if there is none."""
        item = next(waiting, None)
        if item is None:
            return False
        if self.process is None or not self.process.is_alive() or self.done >= VIDEOS_PER_WORKER:
            self.stop()
            self._start()
        self.item, self.deadline = item, time.monotonic() + timeout
        self.connection.send(item)
        return True

    def result(self, timeout: float) -> dict | None:
        """The result of the item at hand, or None while it is worked on."""
        try:
            message = self._receive(timeout)
        except (EOFError, OSError):
            self.process.join()
            code = self.process.exitcode
            self.stop()
            how = f'signal {-code}' if code < 0 else f'exit status {code}'
            return dict(status='crash', message=f'the video ended its process with {how}')
        if message is not None:
            self.done += 1
            return _result_of(message)
        if time.monotonic() < self.deadline:
            return None
        self.stop()
        return dict(status='timeout', message=f'no result and no sign of life for {timeout:g} s')

    def _receive(self, timeout: float) -> dict | tuple | None:
        """The next message but signs of life, which extend the time; None if there is none yet."""
        while self.connection.poll():
            message = self.connection.recv()
            if message is not None:
                return message
            self.deadline = time.monotonic() + timeout
        return None

    def _start(self) -> None:
        # Decord may hang in a process that was forked from one whose threads run; the fork server has none.
        context = multiprocessing.get_context('forkserver')
        context.set_forkserver_preload([__name__])
        self.connection, other = context.Pipe()
        process = context.Process(target=_work, args=(other, self.work), daemon=True)
        process.start()
        self.process = process
        other.close()
        self.connection.recv()  # ready: starting the server takes seconds, which are not the first item's
        self.done = 0

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.connection.close()
            self.process = None


def _result_of(message: dict | tuple[Exception, str]) -> dict:
    """The result in a message, unless that is what the work raised and its trace."""
    if isinstance(message, tuple):
        error, trace = message
        raise error from RuntimeError(f'in a worker process:\n{trace}')
    return message


def _work(connection: multiprocessing.connection.Connection, work: Work) -> None:
    start_worker()
    torch.set_num_threads(1)
    connection.send('ready')
    while True:
        try:
            item = connection.recv()
        except EOFError:
            return
        try:
            result = work(item, partial(connection.send, None))
        except Exception as error:  # the parent's to deal with
            result = (error, traceback.format_exc())
        connection.send(result)
