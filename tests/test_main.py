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
    assert capsys.readouterr().out.startswith(f'usage: repflow-mm {name} ')


def test_the_status_is_that_of_the_command(monkeypatch):
    for result, status in ((None, 0), (0, 0), (3, 1)):
        monkeypatch.setattr('repflow_mm.apis.publish.main', lambda argv, result=result: result)
        assert main(['publish_model']) == status


def test_it_runs_in_an_empty_folder_without_a_checkout(tmp_path):
    done = run_python('-m', 'repflow_mm', 'train', 'none.py', cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, 'error: config none.py does not exist\n')


def test_scripts_of_the_checkout_call_the_same_functions():
    for name, (module, _) in COMMANDS.items():
        script = ROOT / 'tools' / f'{name}.py'
        if name != 'doctor':
            assert f'from {module} import main\n' in script.read_text()
