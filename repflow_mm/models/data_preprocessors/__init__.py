"""Data preprocessors."""

from repflow_mm.models.data_preprocessors.flow_data_preprocessor import FlowDataPreprocessor

__all__ = ['FlowDataPreprocessor']
