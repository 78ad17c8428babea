"""Classical optical flow in front of a network: the methods by name, and what a flow stream sees of them."""

from repflow_mm.classical_flow.methods import METHODS, FlowMethod
from repflow_mm.classical_flow.stream import FlowStream

__all__ = ['METHODS', 'FlowMethod', 'FlowStream']
