"""Marks for ``torch.compile`` that do not load the compiler, which takes seconds, where nothing is compiled."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch


def constant_result(function: Callable) -> Callable:
    """What ``torch.compiler.assume_constant_result`` does: compiled code takes the result for a constant.

    Args:
        function (Callable): Any function; it is not traced.

    Returns:
        Callable: The same function, marked.
    """
    function._dynamo_marked_constant = True
    return function


def run_eagerly(function: Callable) -> Callable:
    """What ``torch.compiler.disable`` does: inside a compiled function this one runs as it is.

    Args:
        function (Callable): Any function; it is not traced.

    Returns:
        Callable: A function that does the same.
    """
    untraced = torch._disable_dynamo(function)  # loads the compiler when it is called

    @functools.wraps(function)
    def call(*args, **kwargs):
        return (untraced if torch.compiler.is_compiling() else function)(*args, **kwargs)

    return call
