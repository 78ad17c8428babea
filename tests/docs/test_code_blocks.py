"""Every block of commands or Python in the documentation; ``doc_classes.py`` says which are run."""

import importlib
import sys

import pytest
import yaml
from doc_blocks import PAGES, blocks
from doc_classes import NOT_RUN, RUN, is_run, matches, reasons_against
from doc_configs import build_config
from doc_programs import check_command, own_command
from doc_sandbox import STAND_INS, fill
from helpers import ROOT

SHELL, PYTHON = blocks('bash'), blocks('python')
CONFIGS = [block for block in PYTHON if block.is_config() and not reasons_against(block)]
PROGRAMS = [block for block in PYTHON if not block.is_config() and not reasons_against(block)]


@pytest.fixture(scope='module')
def sandbox(tmp_path_factory, motion_clips, motion_flow):
    folder = tmp_path_factory.mktemp('sandbox')
    fill(folder, motion_clips, motion_flow)
    return folder


def test_languages_are_known():
    assert {block.language for block in blocks()} <= {'', 'bash', 'bibtex', 'math', 'python', 'text'}
    assert all(path.read_text().count('```') % 2 == 0 for path in PAGES)
    assert sum(path.read_text().count('```') for path in PAGES) == 2 * len(blocks())


def test_every_shell_block_has_one_class():
    assert [
        f'{block}: not in doc_classes.py' for block in SHELL if not is_run(block) and not reasons_against(block)
    ] == []
    assert [str(block) for block in SHELL + PYTHON if len(reasons_against(block)) + is_run(block) > 1] == []


def test_every_class_has_its_block():
    entries = RUN + [entry for entries in NOT_RUN.values() for entry in entries]
    assert [entry for entry in entries if not any(matches(block, entry) for block in SHELL + PYTHON)] == []


@pytest.mark.parametrize('block', SHELL, ids=str)
def test_commands_are_understood(block, capsys):
    own_files = {other.file for other in blocks(page=block.page) if other.file}
    for words in block.commands():
        check_command(words, own_files)


@pytest.mark.parametrize('block', CONFIGS, ids=str)
def test_config_builds(block, tmp_path):
    build_config(block.text, tmp_path)


@pytest.mark.parametrize('block', PROGRAMS, ids=str)
def test_python_runs(block, sandbox, monkeypatch):
    monkeypatch.chdir(sandbox)
    text = block.text
    for word, stand_in in STAND_INS.items():
        text = text.replace(f"'{word}'", f"'{stand_in}'")
    exec(compile(text, str(block), 'exec'), {'__name__': '__main__'})


@pytest.mark.parametrize('block', [block for block in SHELL if is_run(block)], ids=str)
def test_commands_run(block, sandbox, monkeypatch):
    monkeypatch.chdir(sandbox)
    for words in block.commands():
        module, arguments = own_command([STAND_INS.get(word, word) for word in words])
        monkeypatch.setattr(sys, 'argv', [words[0]])
        assert not importlib.import_module(module).main(arguments)


def pages_of(part) -> list[str]:
    """The pages of a part of the site's navigation: a page, a list of parts, or parts by their titles."""
    if isinstance(part, str):
        return [part]
    return [page for inner in (part.values() if isinstance(part, dict) else part) for page in pages_of(inner)]


def test_every_page_is_in_the_site():
    text = yaml.safe_load((ROOT / 'mkdocs.yml').read_text())
    listed = pages_of(text['nav'])
    assert set(listed) == {'index.md', *(path.name for path in (ROOT / 'docs').glob('*.md'))}
    assert len(listed) == len(set(listed))
