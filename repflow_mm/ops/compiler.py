"""Marks for ``torch.compile`` that do not import the compiler, which takes seconds."""

from __future__ import annotations

from collections.abc import Callable

import torch


def constant_result(function: Callable) -> Callable:
    """What ``torch.compiler.assume_constant_result`` does: the result is a constant of the compiled code.

    Args:
        function (Callable): Any function; it is not traced.

    Returns:
        Callable: The same function, marked.
    """
    function._dynamo_marked_constant = True
    return function


# What `torch.compiler.disable` does, from the first call on: the function runs eagerly inside a compiled one.
run_eagerly = torch._disable_dynamo
