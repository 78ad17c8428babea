"""Backbones with flow blocks."""

from repflow_mm.models.backbones.repflow_resnet import RepFlowResNet

__all__ = ['RepFlowResNet']
