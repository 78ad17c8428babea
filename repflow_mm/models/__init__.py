"""Models for MMAction2's registry."""

from repflow_mm.models.backbones import RepFlowResNet
from repflow_mm.models.layers import FlowBlock, RepresentationFlow

__all__ = ['FlowBlock', 'RepFlowResNet', 'RepresentationFlow']
