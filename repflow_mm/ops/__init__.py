"""The flow solver. Needs torch alone."""

from repflow_mm.ops.normalize import normalize_flow_input
from repflow_mm.ops.reference import rep_flow_ref
from repflow_mm.ops.rep_flow import rep_flow
from repflow_mm.ops.tvl1 import tvl1_flow

__all__ = ['normalize_flow_input', 'rep_flow', 'rep_flow_ref', 'tvl1_flow']
