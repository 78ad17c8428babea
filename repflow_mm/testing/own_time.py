"""The time that some functions take of a program's, measured where they are called."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable


class OwnTime:
    """Sums the time spent in functions, but for what they spend in others.

    Unlike a profiler it costs nothing but two looks at the clock for each call.

    Attributes:
        seconds: The sum so far.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._is_on, self._since = False, 0.0

    def counted(self, function: Callable) -> Callable:
        """The function, whose time counts."""
        return self._within(function, True)

    def left_out(self, function: Callable) -> Callable:
        """The function, whose time does not count, whoever calls it."""
        return self._within(function, False)

    def _within(self, function: Callable, is_on: bool) -> Callable:
        @functools.wraps(function)
        def timed(*args, **kwargs):
            before = self._switch(is_on)
            try:
                return function(*args, **kwargs)
            finally:
                self._switch(before)

        return timed

    def _switch(self, is_on: bool) -> bool:
        """Count from now on, or no longer; returns what was before."""
        now, before = time.perf_counter(), self._is_on
        if before:
            self.seconds += now - self._since
        self._is_on, self._since = is_on, now
        return before
