"""Progress of long work on stderr."""

from __future__ import annotations

import sys

from tqdm import tqdm


def progress_bar(*args, **options) -> tqdm:
    """A progress bar with tqdm's arguments; to a log file, a line every half minute instead of a moving bar."""
    return tqdm(*args, mininterval=0.1 if sys.stderr.isatty() else 30, **options)
