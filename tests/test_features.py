"""docs/features.md says of no feature that it works without a test that is there."""

import re

import pytest
from helpers import ROOT

PAGE = ROOT / 'docs' / 'features.md'
ROWS = [line for line in PAGE.read_text().splitlines() if line.startswith('| ') and not line.startswith('| MMAction2 ')]


def test_there_are_rows():
    assert len(ROWS) > 20


@pytest.mark.parametrize('row', ROWS, ids=lambda row: row.split('|')[1].strip()[:40])
def test_a_feature_names_a_test_that_exists(row):
    _, works, test = (cell.strip() for cell in row.strip('|').split('|'))
    match = re.fullmatch(r'`(tests/[\w/]+\.py)::(test_\w+)`', test)
    assert match and works, row
    assert re.search(rf'^ *def {match[2]}\(', (ROOT / match[1]).read_text(), flags=re.MULTILINE), match[0]
