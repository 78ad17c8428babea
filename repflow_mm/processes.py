"""What every worker process does first."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading

import cv2


def start_worker() -> None:
    """Leave interrupts to the parent, use one thread of OpenCV's, and end with the parent, however that ends."""
    # An interrupt reaches the parent too, which lets the workers finish the clips at hand.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    # Without this a worker whose parent was killed would wait for work forever.
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
