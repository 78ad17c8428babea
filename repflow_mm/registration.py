"""Importing this module registers the whole package in MMAction2's registries.

A config asks for it by ``custom_imports = dict(imports=['repflow_mm.registration'], allow_failed_imports=False)``.

Each of the packages below calls :func:`repflow_mm.compat.prepare_upstream` before it imports anything of MMAction2, so
that it may be imported alone too, as unpickling in a data worker does.

Raises:
    ImportError: If MMAction2, MMEngine or MMCV is missing or has a version that is not supported.
"""

from repflow_mm import datasets, engine, models

__all__ = ['datasets', 'engine', 'models']
