"""Each form of weights, by each way that takes a checkpoint."""

import pytest
import torch
import weight_forms
from helpers import ROOT, shrink_config
from mmengine.config import Config
from safetensors.torch import save_file

from repflow_mm.apis.checkpoint import check_checkpoint
from repflow_mm.apis.options import build_runner
from repflow_mm.apis.recognizer import load_recognizer

DEMO = 'configs/demo/repflow_r18_motion_clips.py'
FORMS = ('compiled, distributed', 'compiled backbone', 'AveragedModel', 'EMAHook of MMCV 1.x', 'safetensors')


@pytest.fixture(scope='module')
def cfg(motion_clips, tmp_path_factory):
    cfg = Config.fromfile(ROOT / DEMO)
    shrink_config(cfg, motion_clips, tmp_path_factory.mktemp('run'))
    cfg.launcher = 'none'
    return cfg


@pytest.fixture(scope='module')
def files(cfg, tmp_path_factory):
    """The weights of a network, each form in a file."""
    folder = tmp_path_factory.mktemp('weights')
    torch.manual_seed(3)
    model = load_recognizer(cfg, device='cpu').model
    state = model.state_dict()
    for form in FORMS[:-1]:
        torch.save(dict(state_dict=weight_forms.STATE_DICTS[form](model)), folder / f'{form}.pth')
    save_file({f'module.{name}': value for name, value in state.items()}, folder / 'safetensors.pth')
    return {form: str(folder / f'{form}.pth') for form in FORMS}, state


def reset(model):
    """Take the weights away."""
    for value in model.state_dict().values():
        value.fill_(7)


def assert_has(model, state):
    found = model.state_dict()
    assert all(torch.equal(found[name], value) for name, value in state.items())


@pytest.mark.parametrize('modes', [('train', 'val'), ('test',)], ids=['load_from', 'test'])
def test_runner_takes_every_form(cfg, files, modes):
    paths, state = files
    cfg.load_from, cfg.experiment_name = paths['safetensors'], f'weight forms, {modes[0]}'
    runner = build_runner(cfg, modes)
    reset(runner.model)
    runner.load_or_resume()
    assert_has(runner.model, state)
    for path in paths.values():
        check_checkpoint(runner.model, path, with_head=modes == ('test',))
        reset(runner.model)
        runner.load_checkpoint(path)
        assert_has(runner.model, state)


def test_recognizers_take_every_form(cfg, files):
    paths, state = files
    for path in paths.values():
        assert_has(load_recognizer(cfg, path, device='cpu').model, state)
