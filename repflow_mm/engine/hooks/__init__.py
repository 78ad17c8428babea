"""Hooks."""

from repflow_mm.engine.hooks.bad_data_hook import BadDataHook
from repflow_mm.engine.hooks.checkpoint_hook import ResumableCheckpointHook
from repflow_mm.engine.hooks.epoch_seed_hook import EpochSeedHook
from repflow_mm.engine.hooks.finite_numbers_hook import FiniteNumbersHook
from repflow_mm.engine.hooks.read_watch_hook import ReadWatchHook

__all__ = ['BadDataHook', 'EpochSeedHook', 'FiniteNumbersHook', 'ReadWatchHook', 'ResumableCheckpointHook']
