"""Parts of the training engine."""

from repflow_mm.compat import prepare_upstream

prepare_upstream()

from repflow_mm.engine.hooks import (
    BadDataHook,
    FiniteNumbersHook,
    InterruptionHook,
    ReadWatchHook,
    ResumableCheckpointHook,
    StepSeedHook,
    TrainingStopped,
)
from repflow_mm.engine.loops import ResumableEpochBasedTrainLoop, ResumableIterBasedTrainLoop
from repflow_mm.engine.optimizers import CpuAmpOptimWrapper

__all__ = [
    'BadDataHook',
    'CpuAmpOptimWrapper',
    'FiniteNumbersHook',
    'InterruptionHook',
    'ReadWatchHook',
    'ResumableCheckpointHook',
    'ResumableEpochBasedTrainLoop',
    'ResumableIterBasedTrainLoop',
    'StepSeedHook',
    'TrainingStopped',
]
