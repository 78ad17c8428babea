"""Pipeline transforms."""

from repflow_mm.datasets.transforms.decoding import CheckedDecordDecode, CheckedDecordInit

__all__ = ['CheckedDecordDecode', 'CheckedDecordInit']
