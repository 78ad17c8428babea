"""Parts of the training engine."""

from repflow_mm.compat import prepare_upstream

prepare_upstream()

from repflow_mm.engine.hooks import InterruptionHook, ResumableCheckpointHook, StepSeedHook, TrainingStopped
from repflow_mm.engine.loops import ResumableEpochBasedTrainLoop, ResumableIterBasedTrainLoop, ResumeError
from repflow_mm.engine.optimizers import CpuAmpOptimWrapper

__all__ = [
    'CpuAmpOptimWrapper',
    'InterruptionHook',
    'ResumableCheckpointHook',
    'ResumableEpochBasedTrainLoop',
    'ResumableIterBasedTrainLoop',
    'ResumeError',
    'StepSeedHook',
    'TrainingStopped',
]
