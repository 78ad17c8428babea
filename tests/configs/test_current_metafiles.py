from helpers import ROOT

from repflow_mm.apis.metafiles import metafiles


def test_metafiles_are_current():
    texts = metafiles(ROOT / 'configs')
    assert set(texts) == set(ROOT.glob('configs/*/metafile.yml'))
    for file, text in texts.items():
        assert file.read_text(encoding='utf-8') == text, f'{file} is not current: run tools/metafiles.py'
