"""Pipeline transforms."""

from repflow_mm.datasets.transforms.decoding import VideoDecode, VideoInit
from repflow_mm.datasets.transforms.flow import CheckedRawFrameDecode, ComputeFlow, FlowFileDecode, FlowFlip

__all__ = [
    'CheckedRawFrameDecode',
    'ComputeFlow',
    'FlowFileDecode',
    'FlowFlip',
    'VideoDecode',
    'VideoInit',
]
