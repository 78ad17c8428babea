import pytest
import torch
from helpers import ROOT, shrink_config
from mmengine.config import Config, ConfigDict
from mmengine.optim import DefaultOptimWrapperConstructor
from mmengine.runner import Runner
from torch import nn

from repflow_mm.compat.optimizers import group_parameters_in_plain_dicts


def test_groups_are_plain_dicts():
    group_parameters_in_plain_dicts()
    model = nn.ModuleDict(dict(slow=nn.Linear(2, 2), fast=nn.Linear(2, 2)))
    cfg = ConfigDict(optimizer=dict(type='SGD', lr=0.1), type='OptimWrapper')
    keys = ConfigDict(custom_keys=dict(slow=dict(lr_mult=0.01)))
    wrapper = DefaultOptimWrapperConstructor(cfg, keys)(model)
    assert [type(group) for group in wrapper.optimizer.param_groups] == [dict] * 4
    assert [group['lr'] for group in wrapper.optimizer.param_groups] == pytest.approx([0.001, 0.001, 0.1, 0.1])
    assert all(a is b['params'][0] for a, b in zip(model.parameters(), wrapper.optimizer.param_groups))


def test_compiled_training_is_that_of_the_run_without(motion_clips, tmp_path):
    weights = []
    for number, compiled in enumerate((False, dict(backend='eager'))):
        cfg = Config.fromfile(ROOT / 'configs/tiny_kinetics/repflow-block3_r34_1xb24-16x2x1-60e_tiny-kinetics-rgb.py')
        shrink_config(cfg, motion_clips, tmp_path / f'run{number}')
        cfg.model.backbone.depth, cfg.randomness, cfg.compile = 18, dict(seed=0), compiled
        cfg.model.cls_head.dropout_ratio = 0
        assert cfg.optim_wrapper.paramwise_cfg
        torch.compiler.reset()
        runner = Runner.from_cfg(cfg)
        runner.train()
        weights.append(runner.model.state_dict())
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, msg=name)
