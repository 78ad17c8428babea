"""Hooks."""

from repflow_mm.engine.hooks.checkpoint_hook import ResumableCheckpointHook
from repflow_mm.engine.hooks.epoch_seed_hook import EpochSeedHook
from repflow_mm.engine.hooks.finite_numbers_hook import FiniteNumbersHook
from repflow_mm.engine.hooks.resume_check_hook import CannotResumeError, ResumeCheckHook

__all__ = [
    'CannotResumeError',
    'EpochSeedHook',
    'FiniteNumbersHook',
    'ResumableCheckpointHook',
    'ResumeCheckHook',
]
