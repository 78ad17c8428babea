"""A process of a distributed training that fails, for configs of the chaos."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import torch
from mmaction.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner

# The last one takes the longest: the others wait for it.
FAILURES = ('raises', 'runs out of memory', 'exits', 'is killed', 'is stopped')
# Bytes that a process that runs out of memory still gets, for its last words.
ROOM = 2**26


@HOOKS.register_module()
class FailingRankHook(Hook):
    """Let one process of a distributed training fail before an iteration.

    Args:
        how (str): One of ``FAILURES``.
        rank (int): The process. Defaults to 1.
        iteration (int): Iterations that are done before. Defaults to 2.

    Raises:
        ValueError: If there is no such failure.
    """

    def __init__(self, how: str, rank: int = 1, iteration: int = 2) -> None:
        if how not in FAILURES:
            raise ValueError(f'how must be one of {FAILURES}, got {how!r}')
        self.how, self.rank, self.iteration = how, rank, iteration

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Fail, if it is the time and the process."""
        if (get_rank(), runner.iter) != (self.rank, self.iteration):
            return
        if self.how == 'raises':
            raise RuntimeError('this process fails on purpose')
        if self.how == 'runs out of memory':
            _allocate_beyond(ROOM)
        if self.how == 'exits':
            os._exit(3)
        os.kill(os.getpid(), signal.SIGKILL if self.how == 'is killed' else signal.SIGSTOP)


def _allocate_beyond(room: int) -> None:
    """Ask for more memory than this process may have, which is so many bytes more than it has."""
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + room, most))
    torch.empty(2 * room, dtype=torch.uint8)
