"""Text of a config that comes with a checkpoint: read as data, never run."""

from __future__ import annotations

import ast
import functools
from typing import Any

from repflow_mm.compat.patching import replace

# What ast.parse raises for text that is no Python, or too deeply nested.
_NO_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)


def read_config_text_as_data() -> bool:
    """Let ``Config.fromstring`` read Python text without running it (mmengine ``runner.py``, ``infer.py``, no thread).

    Upstream writes the text to a file and runs that. Its callers are ``Runner.resume`` and the inferencers, with text
    out of a checkpoint. ``Config.fromfile``, for configs that lie on this machine, stays as it is.

    Returns:
        bool: Whether the workaround is in place.
    """
    from mmengine.config import Config

    def make(upstream):
        def fromstring(cfg_str: str, file_format: str) -> Config:
            return Config(parse_config_text(cfg_str)) if file_format == '.py' else upstream(cfg_str, file_format)

        return fromstring

    replace(Config, 'fromstring', make, static=True)
    return True


def format_config_text_once() -> bool:
    """Keep the last texts that ``Config.pretty_text`` has formatted (mmengine ``config.py``, no thread).

    A run asks for its config's text at its start and with every checkpoint, and formatting it takes longer than a step
    of a small network.

    Returns:
        bool: Whether the workaround is in place.
    """
    from mmengine.config import config

    def make(upstream):
        @functools.lru_cache(maxsize=8)
        def formatted(text: str, style: tuple, settings: tuple) -> tuple[str, bool]:
            return upstream(text, style_config=dict(style), **dict(settings))

        def format_code(text: str, style_config: dict, **settings) -> tuple[str, bool]:
            return formatted(text, tuple(style_config.items()), tuple(settings.items()))

        return format_code

    replace(config, 'FormatCode', make)
    return True


def parse_config_text(text: str) -> dict[str, Any]:
    """The settings in a config's text as MMEngine writes it (``Config.pretty_text``): ``name = value``, line by line.

    Args:
        text (str): The text. Values are numbers, strings, None, booleans, and lists, tuples, sets and dicts of them.

    Returns:
        dict: Value of each name.

    Raises:
        ValueError: If anything else stands in it, a ``_base_`` (which would be run) or a ``type`` that names an object
            by its module (which would be imported and called).
    """
    try:
        statements = ast.parse(text).body
    except _NO_PYTHON as error:
        raise ValueError(f'config text cannot be read: {str(error) or type(error).__name__}') from None
    settings = {}
    for statement in statements:
        if not (isinstance(statement, ast.Assign) and [type(target) for target in statement.targets] == [ast.Name]):
            raise _refusal(statement)
        settings[statement.targets[0].id] = _value(statement.value)
    if '_base_' in settings:
        raise ValueError(f'config text is refused: it has a base, {settings["_base_"]!r}, which would be run')
    _check_types(settings)
    return settings


def _value(node: ast.expr) -> Any:
    """The value of an expression that is data alone."""
    try:
        if isinstance(node, ast.Call):
            return _dict_of_call(node)
        if isinstance(node, ast.Dict) and None not in node.keys:
            return {_value(key): _value(value) for key, value in zip(node.keys, node.values)}
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            kind = {ast.List: list, ast.Tuple: tuple, ast.Set: set}[type(node)]
            return kind(_value(item) for item in node.elts)
        return ast.literal_eval(node)
    except (TypeError, ValueError, RecursionError):
        raise _refusal(node) from None


def _dict_of_call(node: ast.Call) -> dict[str, Any]:
    """What ``dict(a=1)`` or ``dict({'a b': 1})`` stands for."""
    settings = [_value(argument) for argument in node.args]
    is_dict = isinstance(node.func, ast.Name) and node.func.id == 'dict'
    if not is_dict or not all(isinstance(part, dict) for part in settings) or len(settings) > 1:
        raise _refusal(node)
    if any(keyword.arg is None for keyword in node.keywords):
        raise _refusal(node)
    return {**(settings[0] if settings else {}), **{keyword.arg: _value(keyword.value) for keyword in node.keywords}}


def _refusal(node: ast.AST) -> ValueError:
    culprit = ast.unparse(node).partition('\n')[0][:80]
    return ValueError(f'config text is refused: line {node.lineno} is more than data: {culprit!r}')


def _check_types(value: Any) -> None:
    """Raise ValueError for a ``type`` such as ``'os.system'``, which a registry would import and call.

    Allowed are names in a registry, with or without an OpenMMLab package as scope: ``'mmaction.Recognizer3D'``.
    """
    if isinstance(value, dict):
        kind = value.get('type')
        if isinstance(kind, str) and '.' in kind and not _is_registry_name(kind):
            raise ValueError(f'config text is refused: type {kind!r} names an object by its module')
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ():
        _check_types(part)


def _is_registry_name(kind: str) -> bool:
    """Whether a dotted name is of a scope, and of nothing that the package of that name has."""
    from importlib import import_module

    from mmengine.config.utils import MODULE2PACKAGE

    scope, _, name = kind.partition('.')
    if scope not in {*MODULE2PACKAGE, 'mmengine'} or not name.isidentifier():
        return False
    try:
        return not hasattr(import_module(scope), name)
    except ImportError:
        return False
