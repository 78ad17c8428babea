import yaml
from helpers import ROOT

from repflow_mm.apis.metafiles import metafiles


def test_metafiles_are_current():
    texts = metafiles(ROOT / 'configs')
    assert set(texts) == set(ROOT.glob('configs/*/metafile.yml'))
    for file, text in texts.items():
        assert file.read_text(encoding='utf-8') == text, f'{file} is not current: run tools/metafiles.py'


def test_docs_show_the_papers_numbers_as_the_table_has_them():
    results = yaml.safe_load((ROOT / 'configs' / 'paper_results.yml').read_text(encoding='utf-8'))['results']
    columns = {('Kinetics-400', None): 1, ('HMDB51', None): 2, ('HMDB51', 'Kinetics-400'): 3}
    expected = {}
    for result in results:
        row = expected.setdefault(result['model'].lower(), ['–'] * 3)
        row[columns[result['data'], result.get('pretraining')] - 1] = str(result['top1'])
    lines = (ROOT / 'docs' / 'results.md').read_text(encoding='utf-8').splitlines()
    rows = [[cell.strip(' *') for cell in line.strip('|').split('|')] for line in lines if line.startswith('|')]
    shown = {row[0].lower(): row[1:4] for row in rows if len(row) == 5}
    assert {name: shown.get(name) for name in expected} == expected
