"""Pipeline transforms."""

from repflow_mm.datasets.transforms.decoding import CheckedDecordDecode, CheckedDecordInit
from repflow_mm.datasets.transforms.flow import CheckedRawFrameDecode, ComputeFlow, FlowFileDecode, FlowFlip

__all__ = [
    'CheckedDecordDecode',
    'CheckedDecordInit',
    'CheckedRawFrameDecode',
    'ComputeFlow',
    'FlowFileDecode',
    'FlowFlip',
]
