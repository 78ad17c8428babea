"""What may stand in a shell block of the documentation, and how each program's arguments are checked."""

from __future__ import annotations

import importlib
import importlib.util
import re
from pathlib import Path

from helpers import ROOT

from repflow_mm.__main__ import COMMANDS
from repflow_mm.sweeps.rows import load_tables
from repflow_mm.version import __version__

# Scripts that start a command in several processes: the command, and its arguments among theirs.
LAUNCHERS = {
    'dist_train.sh': ('train', lambda given: [given[0], *given[2:]]),
    'dist_test.sh': ('test', lambda given: [*given[:2], *given[3:]]),
    'slurm_train.sh': ('train', lambda given: given[2:]),
    'slurm_test.sh': ('test', lambda given: given[2:]),
}
# Programs that are not this project's, of which nothing is checked but that they are meant.
OTHERS = tuple('source cd cp mv mkdir for do done ls git [ scontrol sbatch pre-commit'.split())


def check_command(words: list[str], own_files: set[str]) -> None:
    """Fail if a command does not exist or does not take its arguments.

    Args:
        words: The command.
        own_files: Files that the page has the reader write.
    """
    command = own_command(words)
    if command is not None:
        _check_arguments(*command)
        paths = [word for word in command[1] if word.startswith('configs/') or word.endswith('.py')]
        assert [path for path in paths if path not in own_files and not (ROOT / path).exists()] == []
    elif words[0] == 'pip':
        _check_pip(words[1:])
    elif words[:2] == ['python', '-m']:
        assert importlib.util.find_spec(words[2]) is not None, f'no module {words[2]}'
    elif words[0] in ('bash', 'python') or words[0].startswith('tools/'):
        script = words[1] if words[0] in ('bash', 'python') else words[0]
        assert (ROOT / script).is_file(), f'no script {script}'
    elif words[0] == 'mkdocs':
        assert words[1] in ('build', 'serve') and (ROOT / 'mkdocs.yml').is_file()
    else:
        assert words[0] in OTHERS, f'unknown program {words[0]!r}: say in doc_programs.py how it is checked'


def own_command(words: list[str]) -> tuple[str, list[str]] | None:
    """The module of a command of this project and its arguments; None for other programs."""
    if words[0] == 'repflow-mm':
        return COMMANDS[words[1]][0], words[2:]
    if words[:3] == ['python', '-m', 'repflow_mm']:
        return COMMANDS[words[3]][0], words[4:]
    if words[:3] == ['python', '-m', 'repflow_mm.demo_app']:
        return 'repflow_mm.demo_app.__main__', words[3:]
    words = words[1:] if words[0] == 'python' else words
    script = Path(words[0])
    if script.parts[0] != 'tools' or not (ROOT / script).is_file():
        return None
    if script.name in LAUNCHERS:
        command, arguments = LAUNCHERS[script.name]
        return COMMANDS[command][0], arguments(words[1:])
    if script.name == 'benchmark.py':
        return 'benchmarks.command_line', words[1:]
    return (COMMANDS[script.stem][0], words[1:]) if script.suffix == '.py' else None


def _check_arguments(name: str, arguments: list[str]) -> None:
    module = importlib.import_module(name)
    if not hasattr(module, 'parse_args'):
        assert not arguments, f'{name} has no parse_args that could check {arguments}'
        return
    try:
        args = module.parse_args(arguments)
    except SystemExit as end:
        assert end.code == 0, f'{name} does not take {arguments}'  # as --help ends
    else:
        if name == 'repflow_mm.sweeps.ablate':
            load_tables(args.what, str(ROOT / args.tables))  # which knows the names of tables, networks and configs


def _check_pip(words: list[str]) -> None:
    """Lists of requirements exist, and extras are those of setup.py."""
    assert words[0] in ('install', 'wheel')
    lists = [after for word, after in zip(words, words[1:]) if word == '-r']
    assert [name for name in lists if not (ROOT / name).is_file()] == []
    extras = re.findall(r'(?:repflow_mm|\.|\.whl)\[(\w+)\]', ' '.join(words))
    wheels = re.findall(r'repflow_mm-([\d.]+)-py3', ' '.join(words))
    assert set(wheels) <= {__version__}
    setup = (ROOT / 'setup.py').read_text(encoding='utf-8')
    assert [name for name in extras if f"'{name}': [" not in setup] == []
