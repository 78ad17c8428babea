import json
import re
import zipfile

import pytest

from version_matrix import command_line, environment
from version_matrix.core import CORE, read_log, refusal
from version_matrix.environment import NotInstalled, _check_size, unpacked_gb, versions_of
from version_matrix.rows import (
    ROOT,
    Row,
    allowed_ranges,
    found_pythons,
    lowest_versions,
    requirements,
    requirements_of_tests,
    rows,
)


def test_rows_differ_from_the_pinned_one_where_they_say():
    named = {row.name: row for row in rows()}
    pinned = requirements(named['pinned'], 'runtime.txt') + requirements(named['pinned'], 'openmmlab.txt')
    assert {line.split('==')[0] for line in pinned} >= {'torch', 'numpy', 'av', 'mmengine', 'mmcv-lite', 'mmaction2'}
    assert all('==' in line for line in pinned)
    for row in named.values():
        found = requirements(row, 'runtime.txt') + requirements(row, 'openmmlab.txt')
        assert len(found) == len(pinned)
        if row.is_pinned:
            assert sorted(set(found) - set(pinned)) == sorted(row.replaced.values())
            assert all('==' in line for line in requirements_of_tests(row))
        assert [re.match(r'[\w-]+', line)[0] for line in requirements_of_tests(row)] == ['pytest', 'safetensors']
    low = lowest_versions()
    assert named['oldest torch'].replaced == {'torch': f'torch=={low["torch"]}'}
    assert f'mmengine=={low["mmengine"]}' in requirements(named['lowest mmengine and mmcv-lite'], 'openmmlab.txt')
    newest = requirements(named['newest Python'], 'runtime.txt')
    assert 'numpy' in newest and f'av{allowed_ranges()["av"]}' in newest and low['av'] in allowed_ranges()['av']


def test_the_core_is_there():
    for name in CORE:
        path, _, test = name.partition('::')
        assert (ROOT / path).exists() and f'def {test}' in (ROOT / path).read_text() if test else (ROOT / path).exists()


def test_this_python_is_among_those_found():
    versions = versions_of(found_pythons()[0])
    assert versions['python'].startswith('3.') and set(versions) == {'python', *command_line.COLUMNS}


def test_size_is_that_of_what_is_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / 'torch-2.6.0-cp311.whl', 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('zeros', bytes(3_000_000))
    assert unpacked_gb(tmp_path) == 0.003
    _check_size(tmp_path, 0.003)
    with pytest.raises(NotInstalled, match=r'^not run: with torch 2\.6\.0 it takes 0\.0 GB, more than the 0'):
        _check_size(tmp_path, 0.002)


def test_rows_share_what_is_the_same(tmp_path, monkeypatch):
    commands = []

    def run(command):
        words = [str(part) for part in command]
        commands.append(words)
        if 'venv' in words:
            (tmp_path / 'environment' / 'lib' / 'python3.11' / 'site-packages').mkdir(parents=True)

    monkeypatch.setattr(environment, '_run', run)
    named = {row.name: row for row in rows()}
    for name in ('pinned', 'onedl-mmengine', 'newest torch'):
        python = environment.make_environment(named[name], tmp_path, 3)
        assert python == tmp_path / 'environment' / 'bin' / 'python'
    assert [words[-1] for words in commands if 'venv' in words] == [str(tmp_path / 'environment')] * 2
    stacks = [words for words in commands if '--target' in words]
    assert len(stacks) == 3 and 'onedl-mmengine' in stacks[1] and 'mmengine==0.10.7' not in stacks[1]
    pth = tmp_path / 'environment' / 'lib' / 'python3.11' / 'site-packages' / 'stack.pth'
    assert pth.read_text() == f'{tmp_path}/stack\n'
    environment.remove_environment(tmp_path)
    assert list(tmp_path.iterdir()) == []


LOG = """
....F
=========================== short test summary info ============================
SKIPPED [1] tests/a.py:1: no GPU
FAILED tests/a.py::test_b[c] - ValueError: wrong
ERROR tests/a.py::test_d - OSError: gone
1 failed, 4 passed, 1 skipped, 1 error in 3.21s
"""


def test_what_pytest_says_is_read():
    failures = ['tests/a.py::test_b[c] - ValueError: wrong', 'tests/a.py::test_d - OSError: gone']
    assert read_log(LOG, 1) == dict(
        outcome='failed', summary='1 failed, 4 passed, 1 skipped, 1 error', failures=failures
    )
    text = '.....\n===== 5 passed in 62.10s (0:01:02) =====\n'
    assert read_log(text, 0) == dict(outcome='passed', summary='5 passed', failures=[])
    assert read_log('Fatal Python error\nAborted', 134)['summary'] == 'pytest ended with exit code 134: Aborted'
    error = 'Traceback\nImportError: repflow_mm cannot run with the installed versions:\n  - mmcv: found 3\n'
    assert refusal(error) == 'mmcv: found 3'
    assert refusal('Traceback\nKeyError: 1\n') == 'KeyError: 1'


def test_rows_are_run_once_and_the_table_has_them_all(tmp_path, monkeypatch, capsys):
    ran = []

    def make_environment(row, folder, most_gb):
        ran.append(row.name)
        assert folder == tmp_path / 'results' and most_gb == 2
        (folder / 'environment').mkdir(exist_ok=True)
        if row.name == 'b':
            raise NotInstalled('not run: with torch 9 it takes 4.0 GB, more than the 2 GB allowed')
        if row.name == 'c' and ran.count('c') == 1:
            raise KeyboardInterrupt
        return folder / 'python'

    failed = dict(outcome='failed', summary='1 failed, 2 passed', failures=['tests/a.py::test_b - ValueError: x'])
    monkeypatch.setattr(command_line, 'rows', lambda: [Row(name) for name in 'abc'])
    monkeypatch.setattr(command_line, 'make_environment', make_environment)
    monkeypatch.setattr(command_line, 'versions_of', lambda python: dict(python='3.11.7', torch='2.13.0'))
    monkeypatch.setattr(command_line, 'run_core', lambda python, log: failed)
    docs = tmp_path / 'install.md'
    docs.write_text('before\n<!-- versions: begin -->\n<!-- versions: end -->\nafter\n')
    arguments = ['--folder', str(tmp_path / 'results'), '--most-gb', '2', '--docs', str(docs)]
    with pytest.raises(SystemExit, match='^interrupted; the same command goes on from here$'):
        command_line.main(arguments)
    assert '| c |  |  |  |  |  |  |  | not run yet |' in docs.read_text()
    command_line.main(arguments)
    assert ran == ['a', 'b', 'c', 'c']
    assert capsys.readouterr().out.splitlines()[1] == 'a: failed: 1 failed, 2 passed'
    text = docs.read_text()
    assert '| a | 3.11.7 | 2.13.0 |  |  |  |  |  | failed: 1 failed, 2 passed |' in text
    assert '| b |  |  |  |  |  |  |  | not run: with torch 9 it takes 4.0 GB, more than the 2 GB allowed |' in text
    assert '\nc: `tests/a.py::test_b - ValueError: x`\n' in text
    assert text.startswith('before\n') and text.endswith('after\n')
    assert sorted(path.name for path in (tmp_path / 'results').iterdir() if path.suffix == '.json') == [
        'a.json', 'b.json', 'c.json',
    ]  # fmt: skip
    assert not any(path.is_dir() for path in (tmp_path / 'results').iterdir())
    assert json.loads((tmp_path / 'results' / 'a.json').read_text())['row'] == 'a'
    docs.write_text('no markers\n')
    with pytest.raises(SystemExit, match='^error: .* must have the lines <!-- versions: begin'):
        command_line.main(arguments)
    with pytest.raises(SystemExit):
        command_line.main(['d', *arguments])
    assert "no row is called 'd'; the rows are a; b; c" in capsys.readouterr().err
