"""The ends that broken data makes to a run, in a line each."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.runner import Runner

from repflow_mm.apis.command_line import is_first_process
from repflow_mm.datasets import BadDataError
from repflow_mm.engine import ReadWatchHook
from repflow_mm.engine.hooks.bad_data_hook import TooMuchBadDataError


@contextmanager
def one_line_data_errors(runner: Runner) -> Iterator[None]:
    """End the program in one line instead of a traceback where data is at fault: broken files, or reads that hang
    or crash.

    Args:
        runner (Runner): The runner whose training or testing is in the block.
    """
    try:
        yield
    except TooMuchBadDataError as error:
        # Every rank raises it, the first one says it.
        sys.exit(f'error: {error}' if is_first_process() else 1)
    except BadDataError as error:
        sys.exit(f'error: {_message(error)}')
    except (RuntimeError, ConnectionError, EOFError) as error:
        watch = next((hook.watch for hook in runner.hooks if isinstance(hook, ReadWatchHook)), None)
        # A worker that crashes may break off what it sends, before the loader finds that it is gone.
        is_of_loader = not isinstance(error, RuntimeError) or 'DataLoader' in str(error)
        if watch is None or not is_of_loader:
            raise
        if watch.ended():
            sys.exit(1)  # said by the watcher
        reads = watch.open_reads() if 'timed out' in str(error) else watch.unfinished_reads()
        if not reads:
            raise
        sys.exit(f'error: {error}. It was reading {"; ".join(reads)}. check_videos finds what hangs or crashes')


def _message(error: BadDataError) -> str:
    """An error's message, without the traceback that a data worker puts before it."""
    lines = str(error).strip().splitlines()
    return lines[-1] if len(lines) < 2 else re.sub(r'^[\w.]+: ', '', lines[-1])
