"""Optimizer wrappers."""

from repflow_mm.engine.optimizers.cpu_amp import CpuAmpOptimWrapper

__all__ = ['CpuAmpOptimWrapper']
