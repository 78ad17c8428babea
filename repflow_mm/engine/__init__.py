"""Parts of the training engine."""

from repflow_mm.compat import prepare_upstream

prepare_upstream()

from repflow_mm.engine.hooks import (
    BadDataHook,
    CannotResumeError,
    EpochSeedHook,
    FiniteNumbersHook,
    ResumableCheckpointHook,
    ResumeCheckHook,
)
from repflow_mm.engine.optimizers import CpuAmpOptimWrapper
from repflow_mm.engine.vis_backend import PatientLocalVisBackend

__all__ = [
    'BadDataHook',
    'CannotResumeError',
    'CpuAmpOptimWrapper',
    'EpochSeedHook',
    'FiniteNumbersHook',
    'PatientLocalVisBackend',
    'ResumableCheckpointHook',
    'ResumeCheckHook',
]
