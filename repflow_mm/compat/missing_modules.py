"""Modules that upstream lacks, or that fail to import."""

from __future__ import annotations

import importlib.util
import os
import sys
import types
import warnings


def add_missing_drn() -> bool:
    """Put a stub in place of ``mmaction.models.localizers.drn``, which the 1.2.0 wheel lacks (mmaction2#2714).

    The wheel of otxmmaction2 has it, but it imports torchvision, which its metadata do not name; without torchvision
    all of ``mmaction.models`` fails, and the stub is needed as well.

    Returns:
        bool: Whether the stub was needed.
    """
    package = 'mmaction.models.localizers.drn'
    folder = importlib.util.find_spec('mmaction').submodule_search_locations[0]
    if package in sys.modules:
        return not hasattr(sys.modules[package], '__file__')
    is_there = os.path.isfile(os.path.join(folder, 'models', 'localizers', 'drn', 'drn.py'))
    if is_there and importlib.util.find_spec('torchvision') is not None:
        return False
    for name in (package, f'{package}.drn'):
        sys.modules[name] = types.ModuleType(name, 'Stand-in for a module that the wheel lacks.')
    sys.modules[f'{package}.drn'].DRN = None
    return True


def leave_out_multimodal() -> bool:
    """Leave MMAction2's retrieval models out where they cannot be imported (``models/multimodal``, no thread).

    They ask for names of transformers that its newer versions do not have, and with them all of ``mmaction.models``
    fails. Upstream leaves them out itself where transformers is missing or too old.

    Returns:
        bool: Whether the workaround was needed.
    """
    from mmaction.utils import dependency

    if not dependency.WITH_MULTIMODAL:
        return False
    try:
        from transformers.modeling_utils import (  # noqa: F401
            apply_chunking_to_forward,
            find_pruneable_heads_and_indices,
            prune_linear_layer,
        )
    except ImportError:
        dependency.WITH_MULTIMODAL = False
        return True
    return False


def silence_missing_mmcv_ops() -> bool:
    """Keep mmcv-lite from warning about an operator that no recognizer uses (``mmcv/cnn/bricks/transformer.py``).

    Returns:
        bool: Whether the workaround is in place, that is, whether MMCV has no compiled operators.
    """
    if importlib.util.find_spec('mmcv._ext') is not None:
        return False
    warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``', category=UserWarning)
    return True
