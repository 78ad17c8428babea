import re

import pytest
from doc_blocks import PAGES
from helpers import ROOT


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_pictures_exist(page):
    links = re.findall(r'\]\(([^)#\s]+)(?:#[^)]*)?\)', page.read_text())
    missing = [link for link in links if '://' not in link and not (page.parent / link).exists()]
    assert not missing


def test_every_tool_is_on_its_page():
    text = (ROOT / 'docs' / 'configs.md').read_text()
    tools = {path.name for path in (ROOT / 'tools').iterdir() if path.suffix in ('.py', '.sh')}
    assert len(tools) > 20 and [name for name in sorted(tools) if name not in text] == []


def test_the_readme_shows_where_everything_is():
    text = (ROOT / 'README.md').read_text()
    pages = {page.name for page in (ROOT / 'docs').glob('*.md')}
    linked = set(re.findall(r'\(docs/([\w]+\.md)\)', text))
    # The page of the methods is that of flow streams' figures.
    assert pages - linked <= {'flow_methods.md'}
