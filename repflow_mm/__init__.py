"""Representation flow for MMAction2.

This module has the version, and what is imported when it is asked for: :func:`get_model` and :func:`list_models`.
:mod:`repflow_mm.ops` works on torch alone; :mod:`repflow_mm.registration` brings everything into MMAction2's
registries, and configs name it in their ``custom_imports``.
"""

from repflow_mm.version import __version__

__all__ = ['__version__', 'get_model', 'list_models']

_PLACES = {'get_model': 'repflow_mm.apis.recognizer', 'list_models': 'repflow_mm.resources'}


def __getattr__(name: str) -> object:
    """What takes time to import, when it is asked for."""
    if name not in _PLACES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)
