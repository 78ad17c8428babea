"""Pictures of flow."""

from repflow_mm.visualization.flow_image import flow_legend, flow_to_image

__all__ = ['flow_legend', 'flow_to_image']
