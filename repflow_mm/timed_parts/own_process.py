"""Calls in processes of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any


def call_in_processes(
    function: Callable, arguments: Sequence, processes: int
) -> Iterator[tuple[Any, Callable[[], object]]]:
    """Call a function of a module for each argument in a process of its own, several at a time.

    One pool for all would fail every call that is waiting when a process of it crashes.

    Args:
        function (Callable): Takes one argument.
        arguments (Sequence): The arguments.
        processes (int): How many processes there are at a time.

    Yields:
        tuple: An argument whose call has ended, and a function that returns its result or raises what it ended with.
    """
    with ThreadPoolExecutor(processes) as threads:
        futures = {threads.submit(_call, function, argument): argument for argument in arguments}
        for future in as_completed(futures):
            yield futures[future], future.result


def _call(function: Callable, argument: object) -> object:
    with ProcessPoolExecutor(1, get_context('spawn')) as pool:
        return pool.submit(function, argument).result()
