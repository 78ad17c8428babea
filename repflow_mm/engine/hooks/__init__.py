"""Hooks."""

from repflow_mm.engine.hooks.checkpoint_hook import ResumableCheckpointHook
from repflow_mm.engine.hooks.interruption_hook import InterruptionHook, TrainingStopped
from repflow_mm.engine.hooks.step_seed_hook import StepSeedHook

__all__ = ['InterruptionHook', 'ResumableCheckpointHook', 'StepSeedHook', 'TrainingStopped']
