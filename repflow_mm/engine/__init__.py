"""Parts of the training engine."""

from repflow_mm.compat import prepare_upstream

prepare_upstream()

from repflow_mm.engine.hooks import (
    BadDataHook,
    EpochSeedHook,
    FiniteNumbersHook,
    FlowVisHook,
    ResumableCheckpointHook,
)
from repflow_mm.engine.optimizers import CpuAmpOptimWrapper

__all__ = [
    'BadDataHook',
    'CpuAmpOptimWrapper',
    'EpochSeedHook',
    'FiniteNumbersHook',
    'FlowVisHook',
    'ResumableCheckpointHook',
]
