"""Models for MMAction2's registry."""

from repflow_mm.compat import prepare_upstream

prepare_upstream()

from repflow_mm.models.backbones import RepFlowResNet, RepFlowResNet2Plus1d, RepFlowResNet3d
from repflow_mm.models.data_preprocessors import FlowDataPreprocessor
from repflow_mm.models.layers import FlowBlock, RepresentationFlow

__all__ = [
    'FlowBlock',
    'FlowDataPreprocessor',
    'RepFlowResNet',
    'RepFlowResNet2Plus1d',
    'RepFlowResNet3d',
    'RepresentationFlow',
]
