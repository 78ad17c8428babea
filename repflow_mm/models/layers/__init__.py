"""The flow layer and the block around it, and layers that make a network narrower."""

from repflow_mm.models.layers.flow_block import FlowBlock
from repflow_mm.models.layers.narrow import NarrowBatchNorm2d, NarrowConv2d
from repflow_mm.models.layers.representation_flow import RepresentationFlow

__all__ = ['FlowBlock', 'NarrowBatchNorm2d', 'NarrowConv2d', 'RepresentationFlow']
