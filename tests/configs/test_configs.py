import inspect

import pytest
import torch
from helpers import ROOT, config_files, shrink_config
from looked_at import load_config, table_runs
from mmengine.config import Config
from mmengine.runner import Runner

from repflow_mm.apis.preflight import check_config

CONFIGS = config_files()
# Networks that a file of tables makes of a config and overrides.
NETWORKS = {
    run.network.name: run
    for file in sorted(ROOT.glob('configs/**/tables.yml'))
    for run in table_runs(file).values()
    if run.network.overrides
}


def test_there_are_configs():
    assert {'configs/repflow_r50_kinetics.py', 'configs/demo/repflow_r18_motion_clips.py'} <= set(CONFIGS)


@pytest.mark.parametrize('config', CONFIGS)
def test_config_registers_the_package_and_needs_no_unused_parameters(config):
    cfg = load_config(config)
    assert cfg.default_scope == 'mmaction'
    assert cfg.custom_imports == dict(imports=['repflow_mm.registration'], allow_failed_imports=False)
    assert not cfg.get('find_unused_parameters', False)
    assert not (cfg.get('model_wrapper_cfg') or {}).get('find_unused_parameters', False)


@pytest.mark.parametrize('config', CONFIGS)
def test_config_bounds_broken_and_hanging_data(config):
    hooks = load_config(config).default_hooks
    assert hooks.bad_data == dict(type='BadDataHook', max_share=0.05, in_testing='wrong')
    assert hooks.read_watch == dict(type='ReadWatchHook', timeout=600)


@pytest.mark.parametrize('config', CONFIGS)
def test_config_goes_on_in_the_middle_of_an_epoch(config):
    # The published runs of these were made with MMEngine's loop, see their schedule.
    loop = 'EpochBasedTrainLoop' if config.startswith('configs/egogestar/') else 'ResumableEpochBasedTrainLoop'
    assert load_config(config).train_cfg.type == loop


def test_the_demo_s_flow_in_data_workers_is_that_of_its_preprocessor():
    whole, workers = (load_config(f'configs/demo/{name}_r18_motion_clips.py') for name in ('flow', 'flow-workers'))
    wanted = dict(whole.model.data_preprocessor, type='ComputeFlow')
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        *steps, flow, shape, pack = workers[loader].dataset.pipeline
        assert flow == wanted
        assert [*steps, shape, pack] == whole[loader].dataset.pipeline
    assert workers.model.backbone == whole.model.backbone


@pytest.fixture(scope='module')
def passed():
    """Configs at reduced size that have passed; some differ in the weights that they load alone."""
    return []


@pytest.mark.parametrize('name', [*CONFIGS, *NETWORKS])
def test_config_trains_a_step_and_tests_a_clip(
    name, motion_clips, motion_flow, motion_frames, tmp_path, passed, monkeypatch
):
    monkeypatch.setattr(Config, 'pretty_text', property(lambda self: 'left out: it takes half of the time'))
    monkeypatch.setattr(Runner, '_log_env', lambda self, env_cfg: None)
    cfg = NETWORKS[name].cfg if name in NETWORKS else Config.fromfile(ROOT / name)
    shrink_config(cfg, motion_clips, tmp_path, motion_flow, motion_frames)
    check_config(cfg, ('train', 'val', 'test'))
    used = set(inspect.signature(Runner).parameters) - {'work_dir', 'experiment_name'}
    settings = {key: value for key, value in cfg.to_dict().items() if key in used}
    if settings not in passed:
        train_and_test(cfg)
        passed.append(settings)


def train_and_test(cfg):
    runner = Runner.from_cfg(cfg)
    gradients = {}
    for name, parameter in runner.model.named_parameters():
        parameter.register_post_accumulate_grad_hook(
            lambda leaf, name=name: gradients.update({name: leaf.grad.isfinite().all().item()})
        )
    runner.train()
    assert runner.iter == 1
    trained = {name for name, parameter in runner.model.named_parameters() if parameter.requires_grad}
    assert trained - set(gradients) == set()
    assert all(gradients.values())
    assert all(value.isfinite().all() for value in runner.model.state_dict().values() if torch.is_floating_point(value))
    assert 0 <= runner.test()['acc/top1'] <= 1
