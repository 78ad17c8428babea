import subprocess

from helpers import ROOT

from repflow_mm.sweeps import code_version as module
from repflow_mm.sweeps.code_version import code_version
from repflow_mm.version import __version__


def test_commit_of_the_checkout(tmp_path, monkeypatch):
    git = ['git', '-C', str(tmp_path), '-c', 'user.name=a', '-c', 'user.email=a@b']
    for arguments in (['init', '-q'], ['commit', '-q', '--allow-empty', '-m', 'first']):
        subprocess.run([*git, *arguments], check=True)
    commit = subprocess.run([*git, 'rev-parse', '--short', 'HEAD'], capture_output=True, text=True, check=True)
    monkeypatch.setattr(module, 'ROOT', tmp_path.resolve())
    assert code_version() == f'commit {commit.stdout.strip()}'
    (tmp_path / 'new.txt').touch()
    assert code_version() == f'commit {commit.stdout.strip()}+'
    # As a package that is installed into an environment within the checkout.
    installed = tmp_path / 'site-packages'
    installed.mkdir()
    monkeypatch.setattr(module, 'ROOT', installed)
    assert code_version() == f'version {__version__}'


def test_version_without_git(monkeypatch):
    assert module.ROOT == ROOT
    monkeypatch.setenv('PATH', '')
    assert code_version() == f'version {__version__}'
