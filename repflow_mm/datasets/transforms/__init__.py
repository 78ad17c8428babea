"""Pipeline transforms."""

from repflow_mm.datasets.transforms.decoding import DecodeFrames, OpenVideo
from repflow_mm.datasets.transforms.flow import CheckedRawFrameDecode, ComputeFlow, FlowFileDecode, FlowFlip

__all__ = [
    'DecodeFrames',
    'OpenVideo',
    'CheckedRawFrameDecode',
    'ComputeFlow',
    'FlowFileDecode',
    'FlowFlip',
]
