"""Pipeline transforms."""

from repflow_mm.datasets.transforms.decoding import CheckedDecordDecode, CheckedDecordInit
from repflow_mm.datasets.transforms.flow import CheckedRawFrameDecode, FlowFileDecode, FlowFlip

__all__ = ['CheckedDecordDecode', 'CheckedDecordInit', 'CheckedRawFrameDecode', 'FlowFileDecode', 'FlowFlip']
