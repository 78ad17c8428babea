import importlib
import inspect
import sys

import pytest
from helpers import ROOT, run_python

from repflow_mm.__main__ import COMMANDS, main


@pytest.fixture(autouse=True)
def program_name(monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['repflow-mm'])


def test_help_lists_every_command(capsys):
    assert main([]) == main(['--help']) == 0
    shown = capsys.readouterr().out
    assert [name for name in COMMANDS if f'\n  {name} ' not in shown] == []


def test_unknown_command():
    with pytest.raises(SystemExit, match="error: unknown command 'trian'; the commands are train, test, "):
        main(['trian'])


@pytest.mark.parametrize('name', COMMANDS)
def test_commands_take_arguments_and_show_their_name(name, capsys):
    assert 'argv' in inspect.signature(importlib.import_module(COMMANDS[name][0]).main).parameters
    with pytest.raises(SystemExit, match='^0$'):
        main([name, '--help'])
    usage = capsys.readouterr().out.splitlines()[0]
    assert usage.startswith('usage: ') and f'{name} [-h]' in usage


def test_the_status_is_that_of_the_command(monkeypatch):
    for result, status in ((None, 0), (0, 0), (3, 1)):
        monkeypatch.setattr('repflow_mm.apis.publish.main', lambda argv, result=result: result)
        assert main(['publish_model']) == status


def test_it_runs_in_an_empty_folder_without_a_checkout(tmp_path):
    done = run_python('-m', 'repflow_mm', 'train', 'none.py', cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, 'error: config none.py does not exist\n')


@pytest.mark.parametrize('script', sorted(path.relative_to(ROOT) for path in ROOT.glob('tools/**/*.py')), ids=str)
def test_scripts_of_the_checkout_are_thin(script):
    """They call what a command calls; benchmarks and the matrix of versions, which are not installed, are their own."""
    if {'benchmarks', 'version_matrix'} & set(script.parts):
        return
    text = (ROOT / script).read_text()
    assert len(text.splitlines()) <= 12
    module = 'benchmarks.command_line' if script.name == 'benchmark.py' else COMMANDS[script.stem][0]
    assert f'from {module} import main\n' in text
