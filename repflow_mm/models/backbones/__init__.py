"""Backbones with flow blocks."""

from repflow_mm.models.backbones.repflow_resnet import RepFlowResNet
from repflow_mm.models.backbones.repflow_resnet3d import RepFlowResNet2Plus1d, RepFlowResNet3d
from repflow_mm.models.backbones.with_flow import with_flow

__all__ = ['RepFlowResNet', 'RepFlowResNet2Plus1d', 'RepFlowResNet3d', 'with_flow']
