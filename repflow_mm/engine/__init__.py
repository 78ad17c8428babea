"""Parts of the training engine."""

from repflow_mm.compat import prepare_upstream

prepare_upstream()

from repflow_mm.engine.hooks import (
    BadDataHook,
    CannotResumeError,
    FiniteNumbersHook,
    FlowVisHook,
    InterruptionHook,
    ReadWatchHook,
    ResumableCheckpointHook,
    ResumeCheckHook,
    StepSeedHook,
    TrainingStopped,
)
from repflow_mm.engine.loops import ResumableEpochBasedTrainLoop, ResumableIterBasedTrainLoop
from repflow_mm.engine.optimizers import CpuAmpOptimWrapper
from repflow_mm.engine.vis_backend import PatientLocalVisBackend

__all__ = [
    'BadDataHook',
    'CannotResumeError',
    'CpuAmpOptimWrapper',
    'FiniteNumbersHook',
    'FlowVisHook',
    'InterruptionHook',
    'PatientLocalVisBackend',
    'ReadWatchHook',
    'ResumableCheckpointHook',
    'ResumableEpochBasedTrainLoop',
    'ResumableIterBasedTrainLoop',
    'ResumeCheckHook',
    'StepSeedHook',
    'TrainingStopped',
]
