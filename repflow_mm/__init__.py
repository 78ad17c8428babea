"""Representation flow for MMAction2.

This module has the version alone. :mod:`repflow_mm.ops` works on torch alone; :mod:`repflow_mm.registration` brings
everything into MMAction2's registries, and configs name it in their ``custom_imports``.
"""

from repflow_mm.version import __version__

__all__ = ['__version__']
