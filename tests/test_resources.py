import pytest
from helpers import ROOT

import repflow_mm
from repflow_mm import resources


def test_configs_of_the_checkout():
    assert resources.configs_folder() == ROOT / 'configs'


def test_an_installed_package_has_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(resources, 'PACKAGE', tmp_path / 'repflow_mm')
    with pytest.raises(FileNotFoundError, match='has no configs: install the package again, or take a checkout'):
        resources.configs_folder()
    (tmp_path / 'configs').mkdir()  # of another package, beside this one
    base = tmp_path / 'repflow_mm' / '.mim' / 'configs' / '_base_'
    base.mkdir(parents=True)
    (base / 'default_runtime.py').touch()
    (base.parent / 'a.py').touch()
    assert resources.configs_folder() == base.parent and resources.named_configs() == {'a': base.parent / 'a.py'}


def test_models_by_name():
    assert repflow_mm.list_models('repflow_r50_kin*') == ['repflow_r50_kinetics']
    assert len(repflow_mm.list_models()) == len(resources.named_configs())
    assert resources.config_of('repflow_r50_kinetics') == ROOT / 'configs' / 'repflow_r50_kinetics.py'
    with pytest.raises(ValueError, match="no model is called 'repflow_r50'; the nearest are .*repflow_r50_kinetics"):
        resources.config_of('repflow_r50')
    with pytest.raises(AttributeError, match="module 'repflow_mm' has no attribute 'get_modell'"):
        repflow_mm.get_modell  # noqa: B018
