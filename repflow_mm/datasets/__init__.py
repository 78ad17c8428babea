"""Datasets and transforms for MMAction2's registries, and the demo's data."""

from repflow_mm.compat import prepare_upstream

prepare_upstream()

from repflow_mm.datasets.bad_data import BadDataError, MissingDataError
from repflow_mm.datasets.replacing_dataset import ReplacingDataset
from repflow_mm.datasets.transforms import (
    CheckedRawFrameDecode,
    ComputeFlow,
    FlowFileDecode,
    FlowFlip,
    VideoDecode,
    VideoInit,
)
from repflow_mm.datasets.video_dataset import CheckedRawframeDataset, CheckedVideoDataset

__all__ = [
    'BadDataError',
    'CheckedRawFrameDecode',
    'CheckedRawframeDataset',
    'CheckedVideoDataset',
    'ComputeFlow',
    'FlowFileDecode',
    'FlowFlip',
    'MissingDataError',
    'ReplacingDataset',
    'VideoDecode',
    'VideoInit',
]
