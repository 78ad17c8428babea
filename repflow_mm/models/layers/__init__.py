"""The flow layer and the block around it."""

from repflow_mm.models.layers.flow_block import FlowBlock
from repflow_mm.models.layers.representation_flow import RepresentationFlow

__all__ = ['FlowBlock', 'RepresentationFlow']
