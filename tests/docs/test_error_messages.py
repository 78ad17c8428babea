"""The messages that docs/errors.md quotes are those that this package and upstream give."""

import ast
import functools
import importlib.util
import re
from pathlib import Path

import pytest
import torch
from doc_blocks import blocks
from helpers import ROOT

from repflow_mm.compat import WORKAROUNDS

PAGE = 'docs/errors.md'
# Whose messages the page quotes besides this package's.
UPSTREAM = (
    'mmaction',
    'mmaction.datasets.transforms.loading',
    'mmaction.models.recognizers.recognizer3d',
    'mmengine.config.utils',
    'mmengine.infer.infer',
    'mmengine.registry.build_functions',
    'torch.cuda',
    'torch.serialization',
)
QUOTED = [block.text.strip() for block in blocks('text', PAGE)]


@functools.cache
def words_of_sources() -> str:
    """Every string in the code of this package and of upstream's modules, what stands in f-strings left out."""
    files = list((ROOT / 'repflow_mm').rglob('*.py'))
    for name in UPSTREAM:
        parent, _, child = name.partition('.')
        folder = Path(importlib.util.find_spec(parent).origin).parent.joinpath(*child.split('.') if child else ())
        files.append(folder / '__init__.py' if folder.is_dir() else folder.with_suffix('.py'))
    strings = []
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding='utf-8'))):
            if isinstance(node, ast.JoinedStr):
                strings.append(''.join(getattr(part, 'value', '…') if _is_text(part) else '…' for part in node.values))
            elif _is_text(node):
                strings.append(node.value)
    return '\n'.join([*strings, *words_of_python()])


def words_of_python() -> list[str]:
    """Messages of Python and torch themselves."""
    words = []
    for fails in (
        lambda: importlib.import_module('no_such_module'),
        lambda: ast.no_such_name,
        lambda: exec('from ast import no_such_name'),
        lambda: torch.ones(1, dtype=torch.bfloat16).numpy(),
        lambda: torch.ones(1, 1).permute(0),
    ):
        with pytest.raises((ImportError, AttributeError, TypeError, RuntimeError)) as caught:
            fails()
        words.append(re.sub(r"'\w+'", '…', str(caught.value)))
    return words


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


@pytest.mark.parametrize('message', QUOTED)
def test_quoted_message_is_given(message):
    for part in re.split(r"…|'[\w.]+'", message):
        assert part.strip(" '.") in words_of_sources(), part


def test_every_workaround_is_on_the_page():
    text = (ROOT / PAGE).read_text(encoding='utf-8').partition('## Every breakage of upstream')[2]
    assert re.findall(r'^\| (.+?) \| [^|]+ \|$', text, re.MULTILINE)[1:] == list(WORKAROUNDS)


def test_messages_are_worth_looking_up():
    assert len(QUOTED) == len(set(QUOTED)) > 25
