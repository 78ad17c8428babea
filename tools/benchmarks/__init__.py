"""Measurements: the solver, whole networks, what a clip costs, TV-L1, flow on disk, compiled kernels."""
