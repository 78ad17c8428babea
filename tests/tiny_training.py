"""A training that takes no time: what is random in a real one is random in it, too.

The tests of interrupted runs use it as a config's ``custom_imports``.
"""

import copy
import itertools
import os
import random
import signal
import subprocess
from pathlib import Path

import numpy as np
import torch
from helpers import ROOT
from mmaction.registry import DATASETS, HOOKS, METRICS, MODELS
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import CheckpointLoader, Runner
from torch import nn

from repflow_mm.engine import TrainingStopped

CONFIG = """
_base_ = '{root}/configs/_base_/default_runtime.py'
custom_imports = dict(imports=['repflow_mm.registration', 'tiny_training'], allow_failed_imports=False)
model = dict(type='TinyModel')
loader = dict(batch_size=4, num_workers=0, collate_fn=dict(type='default_collate'))
train_dataloader = dict(
    dataset=dict(type='NoisySamples', size=23, noise=0.1), sampler=dict(type='DefaultSampler', shuffle=True), **loader
)
val_dataloader = dict(
    dataset=dict(type='NoisySamples', size=8, noise=0.0), sampler=dict(type='DefaultSampler', shuffle=False), **loader
)
val_evaluator = dict(type='TrueClassScore')
train_cfg = dict(type='ResumableEpochBasedTrainLoop', max_epochs=3)
val_cfg = dict(type='ValLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=0.01))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=10),
    dict(type='MultiStepLR', milestones=[2], by_epoch=True),
    dict(type='ReduceOnPlateauLR', monitor='acc/top1', rule='greater', patience=0),
]
default_hooks = dict(logger=dict(interval=1))
visualizer = dict(_delete_=True, type='Visualizer', vis_backends=[])
log_level = 'WARNING'
"""


@MODELS.register_module()
class TinyModel(BaseModel):
    """Two layers with batch norm and dropout between them."""

    def __init__(self, has_batch_norm=True, dropout=0.3):
        super().__init__()
        norm = nn.BatchNorm1d(8) if has_batch_norm else nn.Identity()
        self.layers = nn.Sequential(nn.Linear(6, 8), norm, nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 2))

    def forward(self, inputs, labels, mode='tensor'):
        scores = self.layers(inputs)
        if mode == 'loss':
            return dict(loss=nn.functional.cross_entropy(scores, labels))
        return list(scores.softmax(dim=1).gather(1, labels[:, None]))


@DATASETS.register_module()
class NoisySamples(torch.utils.data.Dataset):
    """Samples of two classes with noise of each library's."""

    def __init__(self, size, noise):
        self.size, self.noise = size, noise

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        noise = torch.rand(()) + random.random() + float(np.random.rand())
        inputs = torch.randn(6, generator=generator) + index % 2 + self.noise * noise
        return dict(inputs=inputs, labels=index % 2)


@METRICS.register_module()
class TrueClassScore(BaseMetric):
    """Mean score of the true class, under the name of an accuracy."""

    def process(self, data_batch, data_samples):
        self.results += [float(score) for score in data_samples]

    def compute_metrics(self, results):
        return {'acc/top1': sum(results) / len(results)}


@HOOKS.register_module()
class SendSignal(Hook):
    """Sends signals before an iteration, to this process or to its whole group."""

    def __init__(self, step, signals, rank=0, to_group=False):
        self.step, self.signals, self.rank, self.to_group = step, signals, rank, to_group

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        for number in self.signals if (runner.iter, get_rank()) == (self.step, self.rank) else []:
            if self.to_group:  # from another process, as the workers' parent may end them
                command = ['kill', f'-{number}', '--', f'-{os.getpgrp()}']
                subprocess.run(command, check=True, start_new_session=True)
            else:
                os.kill(os.getpid(), number)


class Killed(BaseException):
    """The process ends here."""


class Disturbance(Hook):
    """Calls ``action(runner)`` in the n-th call of a stage, after all other hooks or before them."""

    def __init__(self, stage, call, action, priority='LOWEST'):
        self.priority = priority
        calls = itertools.count(1)
        setattr(self, stage, lambda runner, **_: action(runner) if next(calls) == call else None)


def stop(runner):
    os.kill(os.getpid(), signal.SIGTERM)


def kill(runner):
    raise Killed


number_of_runs = itertools.count()


def train(work_dir, *disturbance, changes=None, resume=False, seed=3, launcher='none'):
    """Train in this process; disturbance are a Disturbance's arguments."""
    work_dir.parent.mkdir(exist_ok=True)
    file = work_dir.parent / 'tiny.py'
    file.write_text(CONFIG.format(root=ROOT))
    cfg = Config.fromfile(file)
    cfg.merge_from_dict(copy.deepcopy(changes or {}))
    cfg.update(work_dir=str(work_dir), experiment_name=f'interrupted{next(number_of_runs)}', resume=resume)
    cfg.launcher = launcher
    cfg.randomness = dict(seed=seed)
    runner = Runner.from_cfg(cfg)
    if disturbance:
        runner.register_hook(Disturbance(*disturbance))
    try:
        runner.train()
    except (TrainingStopped, Killed) as end:
        return end
    assert not disturbance, 'nothing happened'


def final_state(work_dir):
    """All that a run leaves, by file."""
    state = {}
    for path in sorted(Path(work_dir).glob('*.pth')):
        found = CheckpointLoader.load_checkpoint(str(path), map_location='cpu')
        info = found['message_hub']['runtime_info']
        parts = {name: found.get(name) for name in ('state_dict', 'optimizer', 'param_schedulers')}
        parts['position'] = [found['meta'][name] for name in ('epoch', 'iter', 'seed')]
        parts['best'] = info.get('best_score'), Path(info.get('best_ckpt', '')).name
        state[path.name] = parts
    return state


def assert_same(found, expected, where='run'):
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for name in expected:
            assert_same(found[name], expected[name], f'{where}.{name}')
    elif isinstance(expected, (list, tuple)):
        assert len(found) == len(expected), where
        for number, (one, other) in enumerate(zip(found, expected)):
            assert_same(one, other, f'{where}[{number}]')
    elif isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected), where
    else:
        assert found == expected, where
