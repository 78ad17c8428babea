"""Representation flow for MMAction2.

Importing the package registers its models, datasets and hooks in ``mmaction.registry`` where MMAction2 is installed,
after checking the versions of MMAction2, MMEngine and MMCV and putting the needed workarounds in place. Without
MMAction2, :mod:`repflow_mm.ops` works on torch alone.
"""

import sys
from importlib.util import find_spec

from repflow_mm.version import __version__

__all__ = ['__version__']

# The doctor reports on installations that cannot work, so it must start in them.
_is_doctor = 'repflow_mm.doctor' in getattr(sys, 'orig_argv', [])

if find_spec('mmaction') is not None and not _is_doctor:
    from repflow_mm.registration import register_all

    register_all()
