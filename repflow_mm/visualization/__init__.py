"""Pictures of flow."""

from repflow_mm.visualization.flow_image import flow_legend, flow_to_image
from repflow_mm.visualization.overlays import flow_arrows, flow_overlay

__all__ = ['flow_arrows', 'flow_legend', 'flow_overlay', 'flow_to_image']
