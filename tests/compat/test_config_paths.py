import pytest
from helpers import ROOT
from mmaction.apis.inferencers import ActionRecogInferencer
from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE

import repflow_mm.registration  # noqa: F401
from repflow_mm.compat import config_paths
from repflow_mm.resources import configs_folder, named_configs


def test_base_of_another_folder_is_found(tmp_path):
    config = tmp_path / 'mine.py'
    config.write_text(
        "_base_ = 'repflow_mm::demo/repflow_r18_motion_clips.py'\nmodel = dict(cls_head=dict(num_classes=3))\n"
    )
    found = Config.fromfile(config)
    expected = Config.fromfile(ROOT / 'configs' / 'demo' / 'repflow_r18_motion_clips.py').to_dict()
    expected['model']['cls_head']['num_classes'] = 3
    assert found.to_dict() == expected


def test_missing_base_is_named(tmp_path):
    config = tmp_path / 'mine.py'
    config.write_text("_base_ = 'repflow_mm::demo/nothing.py'\n")
    with pytest.raises(
        FileNotFoundError, match=r'mine\.py: there is no config repflow_mm::demo/nothing.py, which would'
    ):
        Config.fromfile(config)


def test_bases_of_other_packages_are_as_before(tmp_path):
    config = tmp_path / 'mine.py'
    config.write_text("_base_ = 'mmaction::_base_/default_runtime.py'\n")
    assert Config.fromfile(config).default_scope == 'mmaction'


def test_configs_of_mmaction_are_those_of_the_fork_that_is_installed(monkeypatch):
    for name, is_fork in (('mmaction2', False), ('otxmmaction2', True)):
        monkeypatch.setitem(MODULE2PACKAGE, 'mmaction', 'mmaction2')
        monkeypatch.setattr(config_paths, 'installed_versions', lambda names, name=name: {name: '1.2.0'})
        assert config_paths.find_configs_of_fork() is is_fork
        assert MODULE2PACKAGE['mmaction'] == name


def test_every_name_is_one_config():
    files = [file for file in configs_folder().rglob('*.py') if '_base_' not in file.parts]
    assert len(named_configs()) == len(files)
    assert named_configs()['repflow_r50_kinetics'] == configs_folder() / 'repflow_r50_kinetics.py'


def test_inferencer_takes_the_name_of_a_config():
    inferencer = ActionRecogInferencer('repflow_r18_motion_clips', device='cpu')
    assert type(inferencer.model.backbone).__name__ == 'RepFlowResNet'
    with pytest.raises(ValueError, match='Cannot find model: nothing in mmaction'):
        ActionRecogInferencer('nothing', device='cpu')
