"""Processes that work for others: what they do first, which signals they heed, and their end with their parent."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import cv2


def start_worker() -> None:
    """Leave interrupts to the parent, use one thread of OpenCV's, and end with the parent, however that ends."""
    # An interrupt reaches the parent too, which lets the workers finish the clips at hand.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    # Without this a worker whose parent was killed would wait for work forever.
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def leave_signals_to_parent(signals: Sequence[int]) -> None:
    """Let signals that reach a whole group of processes, as Ctrl-C does, be the business of this one's parent.

    Of these signals the parent's own alone count: they end this process. Programs that it starts inherit this.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    threading.Thread(target=_exit_on_signal_of, args=(os.getppid(), signals), daemon=True).start()


def _exit_on_signal_of(parent: int, signals: Sequence[int]) -> None:
    while signal.sigwaitinfo(signals).si_pid != parent:
        pass
    os._exit(1)


@contextmanager
def without_opencv_threads() -> Iterator[None]:
    """End OpenCV's threads before processes are forked: a fork has none of them and would wait for them forever."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _exit_with_parent() -> None:
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
