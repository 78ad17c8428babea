"""Hooks."""

from repflow_mm.engine.hooks.checkpoint_hook import ResumableCheckpointHook
from repflow_mm.engine.hooks.epoch_seed_hook import EpochSeedHook

__all__ = ['EpochSeedHook', 'ResumableCheckpointHook']
