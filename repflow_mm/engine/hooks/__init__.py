"""Hooks."""

from repflow_mm.engine.hooks.bad_data_hook import BadDataHook
from repflow_mm.engine.hooks.checkpoint_hook import ResumableCheckpointHook
from repflow_mm.engine.hooks.epoch_seed_hook import EpochSeedHook
from repflow_mm.engine.hooks.finite_numbers_hook import FiniteNumbersHook
from repflow_mm.engine.hooks.flow_vis_hook import FlowVisHook

__all__ = ['BadDataHook', 'EpochSeedHook', 'FiniteNumbersHook', 'FlowVisHook', 'ResumableCheckpointHook']
