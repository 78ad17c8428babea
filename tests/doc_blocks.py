"""The code blocks of the documentation, as tests take them."""

from __future__ import annotations

import ast
import re
import shlex
import string
from dataclasses import dataclass

from helpers import ROOT

PAGES = [
    *(ROOT / name for name in ('README.md', 'CONTRIBUTING.md', 'repflow_mm/ops/README.md')),
    *sorted((ROOT / 'docs').glob('*.md')),
]
FENCE = re.compile(r'^( *)```(\w*)\n(.*?)^ *```$', re.DOTALL | re.MULTILINE)
# The words before a block that is a file: "... as `mine.py`:"
FILE = re.compile(r'`([\w./-]+)`:\n+$')
ASSIGNMENT = re.compile(r'(\w+)=(.*)', re.DOTALL)
# What MMEngine and MMAction2 read of a config, as far as the pages speak of it, and helpers in a config.
SETTINGS = re.compile(
    r'_base_|custom_imports|default_scope|\w*model|backbone|\w*pipeline|\w*dataloader|\w*evaluator|\w*hooks|'
    r'optim_wrapper|param_scheduler|\w*_cfg|num_classes|data\w*|flip|flow|work_dir|load_from|visualizer|vis_backends'
)


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Args:
        page: Path of the page in the checkout.
        language: What stands behind the fence.
        text: The lines between the fences.
        file: The name of the file that the page says the block is, if it does.
    """

    page: str
    language: str
    text: str
    file: str | None

    def __str__(self) -> str:
        return f'{self.page}: {self.text.strip().splitlines()[0]}'

    def lines(self) -> list[str]:
        """Lines of a shell, those that go on after a backslash joined."""
        return [line for line in self.text.replace('\\\n', '').splitlines() if line.strip()]

    def commands(self) -> list[list[str]]:
        """The words of each command of a shell block, without comments and variables' assignments."""
        variables, commands = {}, []
        for line in self.lines():
            for words in _split(line):
                while words and (given := ASSIGNMENT.fullmatch(words[0])):
                    variables[given[1]] = given[2]
                    words = words[1:]
                words = [string.Template(word).safe_substitute(variables) for word in words]
                commands += [words] if words else []
        return commands

    def is_config(self) -> bool:
        """Whether a block of Python sets what configs set, and nothing else."""
        names = []
        for statement in ast.parse(self.text).body:
            if not isinstance(statement, ast.Assign):
                return False
            targets = [node for target in statement.targets for node in ast.walk(target) if isinstance(node, ast.Name)]
            names += [node.id for node in targets]
        return all(SETTINGS.fullmatch(name) for name in names)


def blocks(language: str | None = None, page: str | None = None) -> list[Block]:
    """The blocks of all pages, or of one, in a language."""
    found = []
    for path in PAGES:
        text, name = path.read_text(encoding='utf-8'), str(path.relative_to(ROOT))
        for match in FENCE.finditer(text) if page in (None, name) else ():
            file = FILE.search(text[: match.start()])
            content = ''.join(line.removeprefix(match[1]) for line in match[3].splitlines(keepends=True))
            found.append(Block(name, match[2], content, file and file[1]))
    return [block for block in found if language in (None, block.language)]


def _split(line: str) -> list[list[str]]:
    """The words of each command of a line."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars='&|;')
    lexer.whitespace_split = True
    commands = [[]]
    for word in lexer:
        if set(word) <= set('&|;'):
            commands.append([])
        else:
            commands[-1].append(word)
    return commands
