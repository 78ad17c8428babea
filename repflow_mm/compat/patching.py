"""How a method of upstream is replaced: once, however often it is asked for."""

from __future__ import annotations

import functools
from collections.abc import Callable


def replace(owner: object, name: str, make: Callable[[Callable], Callable], static: bool = False) -> None:
    """Put a function of ours in the place of one of upstream, unless it is there already.

    Args:
        owner (object): The class or module that has the function.
        name (str): The function's name there.
        make (Callable): ``make(upstream)`` returns the function that takes its place.
        static (bool): Whether it is a static method. Defaults to False.
    """
    upstream = getattr(owner, name)
    if getattr(upstream, 'is_workaround', False):
        return
    function = functools.wraps(upstream)(make(upstream))
    function.is_workaround = True
    setattr(owner, name, staticmethod(function) if static else function)
