"""The documentation as a site: it builds without a warning, and asks nothing of the network when it is read."""

import json
import re
import sys

import pytest
from doc_blocks import blocks
from helpers import ROOT, run

pytest.importorskip('mkdocs')


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp('site')
    (command,) = blocks('bash', 'CONTRIBUTING.md')[0].commands()
    done = run(sys.executable, '-m', *command, '-d', folder, cwd=ROOT, NO_MKDOCS_2_WARNING='1')
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_nothing_is_fetched(site):
    for page in site.rglob('*.html'):
        assert re.findall(r'<(?:script|link|img|iframe)[^>]+(?:src|href)="?(https?:|//)', page.read_text()) == [], page
    for style in site.rglob('*.css'):
        assert re.findall(r'url\(["\']?(https?:|//)|@import', style.read_text()) == [], style


def test_formulae_are_mathml(site):
    page = (site / 'mathematics.html').read_text()
    assert page.count('<math') > 40 and '$' not in re.sub(r'<(pre|script).*?</\1>', '', page, flags=re.DOTALL)
    assert 'arithmatex' not in page and page.count('<mtable') >= 3 and '<mi>&amp;' not in page


def test_docstrings_are_in_the_reference(site):
    page = (site / 'api.html').read_text()
    named = re.findall(r'<!-- ::: ([\w.]+) -->', (ROOT / 'docs' / 'api.md').read_text())
    assert len(named) > 35 and [name for name in named if f'id="{name}"' not in page] == []
    assert re.findall(r':(?:class|func|mod):', page) == []


def test_what_pages_link_to_outside_of_docs_is_there(site):
    assert 'Loading of checkpoints without running code' in (site / 'source/repflow_mm/compat.html').read_text()
    config = (site / 'source/configs/repflow_r50_kinetics.py.html').read_text()
    assert "the paper's full-Kinetics setting: 32x224x224" in re.sub(r'<[^>]+>', '', config)
    index = json.loads((site / 'search' / 'search_index.json').read_text())
    assert any('soft threshold' in document['text'] for document in index['docs'])
