import pytest
from helpers import ROOT

from repflow_mm import model_names


def test_configs_of_the_checkout():
    assert model_names.configs_folder() == ROOT / 'configs'


def test_an_installed_package_has_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(model_names, 'PACKAGE', tmp_path / 'repflow_mm')
    with pytest.raises(FileNotFoundError, match='has no configs: install the package again, or take a checkout'):
        model_names.configs_folder()
    (tmp_path / 'configs').mkdir()  # of another package, beside this one
    base = tmp_path / 'repflow_mm' / '.mim' / 'configs' / '_base_'
    base.mkdir(parents=True)
    (base / 'default_runtime.py').touch()
    (base.parent / 'a.py').touch()
    assert model_names.configs_folder() == base.parent and model_names.config_of('a') == base.parent / 'a.py'
