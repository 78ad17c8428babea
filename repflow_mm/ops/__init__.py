"""The flow solver, and classical flow of image pairs. Needs torch alone."""

from repflow_mm.ops.brox import brox_flow
from repflow_mm.ops.normalize import normalize_flow_input
from repflow_mm.ops.reference import rep_flow_ref
from repflow_mm.ops.rep_flow import rep_flow
from repflow_mm.ops.tvl1 import tvl1_flow

__all__ = ['brox_flow', 'normalize_flow_input', 'rep_flow', 'rep_flow_ref', 'tvl1_flow']
