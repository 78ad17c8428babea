"""A training that takes no time: what is random in a real one is random in it, too.

The tests of interrupted runs use it as a config's ``custom_imports``.
"""

import random

import numpy as np
import torch
from mmaction.registry import DATASETS, METRICS, MODELS
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from torch import nn

CONFIG = """
_base_ = '{root}/configs/_base_/default_runtime.py'
custom_imports = dict(imports=['repflow_mm.registration', 'tiny_training'], allow_failed_imports=False)
model = dict(type='TinyModel')
loader = dict(batch_size=4, num_workers=0, collate_fn=dict(type='default_collate'))
train_dataloader = dict(
    dataset=dict(type='NoisySamples', size=22, noise=0.1), sampler=dict(type='DefaultSampler', shuffle=True), **loader
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
    """Two layers with batch norm and dropout."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2)
        )  # fmt: skip

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
