"""Small networks with flow blocks in them, and what they take."""

import torch
from mmaction.registry import MODELS
from torch import nn

import repflow_mm.models  # noqa: F401

T = 4
FLOW = dict(after='layer1', channels=4, num_iters=2)
RESIDUAL = dict(fusion='add', zero_init_norm=True)
SHORT = dict(num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(1,))
SHORT_3D = dict(
    pretrained=None, num_stages=2, spatial_strides=(1, 2), temporal_strides=(1, 1), dilations=(1, 1), out_indices=(1,)
)


def resnet(flow=FLOW, seed=0, **kwargs):
    torch.manual_seed(seed)
    backbone = dict(dict(type='ResNet', depth=18, **SHORT), **kwargs)
    return MODELS.build(dict(type='WithFlow', backbone=backbone, flow=flow, num_segments=T))


def resnet3d(flow=FLOW, seed=0, **kwargs):
    torch.manual_seed(seed)
    return MODELS.build(
        dict(type='WithFlow', backbone=dict(dict(type='ResNet3d', depth=18, **SHORT_3D), **kwargs), flow=flow)
    )


def frames(num_clips=2, size=32, seed=1):
    return torch.randn(num_clips * T, 3, size, size, generator=torch.Generator().manual_seed(seed))


def clips(num_clips=2, length=8, size=32, seed=1):
    return torch.randn(num_clips, 3, length, size, size, generator=torch.Generator().manual_seed(seed))


class Plain(nn.Module):
    """A network of two 3D convolutions, of which the second can be called twice."""

    def __init__(self, calls=1):
        super().__init__()
        self.first, self.second, self.calls = nn.Conv3d(3, 6, 3, padding=1), nn.Conv3d(6, 6, 3, padding=1), calls

    def forward(self, x):
        x = self.first(x)
        for _ in range(self.calls):
            x = self.second(x)
        return x
