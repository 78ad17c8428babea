"""Models for MMAction2's registry."""

from repflow_mm.compat import prepare_upstream

prepare_upstream()

from repflow_mm.models.backbones import RepFlowResNet, RepFlowResNet2Plus1d, RepFlowResNet3d, with_flow
from repflow_mm.models.data_preprocessors import FlowDataPreprocessor
from repflow_mm.models.insertion import insert_flow
from repflow_mm.models.layers import FlowBlock, RepresentationFlow

__all__ = [
    'FlowBlock',
    'FlowDataPreprocessor',
    'RepFlowResNet',
    'RepFlowResNet2Plus1d',
    'RepFlowResNet3d',
    'RepresentationFlow',
    'insert_flow',
    'with_flow',
]
