"""Training loops."""

from repflow_mm.engine.loops.epoch_loop import ResumableEpochBasedTrainLoop
from repflow_mm.engine.loops.iter_loop import ResumableIterBasedTrainLoop

__all__ = ['ResumableEpochBasedTrainLoop', 'ResumableIterBasedTrainLoop']
