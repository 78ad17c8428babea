"""Hooks."""

from repflow_mm.engine.hooks.bad_data_hook import BadDataHook
from repflow_mm.engine.hooks.checkpoint_hook import ResumableCheckpointHook
from repflow_mm.engine.hooks.finite_numbers_hook import FiniteNumbersHook
from repflow_mm.engine.hooks.flow_vis_hook import FlowVisHook
from repflow_mm.engine.hooks.interruption_hook import InterruptionHook, TrainingStopped
from repflow_mm.engine.hooks.read_watch_hook import ReadWatchHook
from repflow_mm.engine.hooks.resume_check_hook import CannotResumeError, ResumeCheckHook
from repflow_mm.engine.hooks.step_seed_hook import StepSeedHook

__all__ = [
    'BadDataHook',
    'CannotResumeError',
    'FiniteNumbersHook',
    'FlowVisHook',
    'InterruptionHook',
    'ReadWatchHook',
    'ResumableCheckpointHook',
    'ResumeCheckHook',
    'StepSeedHook',
    'TrainingStopped',
]
