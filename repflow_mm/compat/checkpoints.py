"""Loading of checkpoints without running code that they carry, from wherever MMEngine takes them."""

from __future__ import annotations

import importlib
import os
import pickle
import struct
from collections.abc import Callable

import torch


def load_checkpoints_safely() -> bool:
    """Load local checkpoints with ``weights_only=True`` and MMEngine's own classes allowed (mmengine#1655, #1650).

    Upstream's ``torch.load`` fails on every Runner checkpoint since torch 2.6, as the message hub in it is no plain
    data. Anything beyond tensors, plain data and the message hub's numbers stays refused.

    Returns:
        bool: Whether the workaround is in place.
    """
    from mmengine.runner import CheckpointLoader

    CheckpointLoader.register_scheme(prefixes='', loader=_load_local_checkpoint, force=True)
    return True


# What torch.load raises for bytes that are no pickle, or not all of one.
_DAMAGE = (RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError, struct.error)


def _load_local_checkpoint(filename: str, map_location: str | Callable | None = None) -> dict:
    """Load a checkpoint file without running code that it carries; the loader that MMEngine calls."""
    filename = os.path.expanduser(filename)
    if not os.path.isfile(filename):
        raise FileNotFoundError(f'checkpoint {filename} does not exist')
    try:
        with torch.serialization.safe_globals(_checkpoint_globals()):
            return torch.load(filename, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f'checkpoint {filename} is refused: it is no plain checkpoint ({_refusal(str(error))}). Allowed are '
            'tensors, numbers, strings, containers, and the log history of MMEngine; code is never run from a '
            'checkpoint'
        ) from error
    except _DAMAGE as error:
        if 'deserialize object on' in str(error):  # the device's absence, not the file's fault
            raise
        reason = str(error).partition('\n')[0] or type(error).__name__
        raise ValueError(f'checkpoint {filename} is damaged or incomplete: {reason}') from error


def _refusal(message: str) -> str:
    """What torch's long message says of the culprit, which stands in its last paragraph but one."""
    if 'GLOBAL' in message:
        return 'it needs ' + message.split('GLOBAL', 1)[1].split()[0]
    paragraphs = [part for part in message.split('\n\n') if part and not part.startswith('Check the documentation')]
    return paragraphs[-1].splitlines()[-1].strip()


def _checkpoint_globals() -> list:
    """What a Runner's checkpoint may contain beyond torch's own allow-list."""
    import numpy as np
    from mmengine.logging import HistoryBuffer

    multiarray = importlib.import_module(
        'numpy._core.multiarray' if np.__version__[0] > '1' else 'numpy.core.multiarray'
    )
    dtypes = [type(np.dtype(code)) for code in ('f2', 'f4', 'f8', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'b1')]
    old_names = [(getattr(multiarray, name), f'numpy.core.multiarray.{name}') for name in ('_reconstruct', 'scalar')]
    return [
        HistoryBuffer,
        np.ndarray,
        np.dtype,
        multiarray._reconstruct,
        multiarray.scalar,
        (_history_buffer_method, 'builtins.getattr'),
        *old_names,
        *dtypes,
    ]


def _history_buffer_method(owner: type, name: str) -> Callable:
    """Stand-in for ``getattr`` in checkpoints, where a HistoryBuffer refers to its own statistics methods."""
    from mmengine.logging import HistoryBuffer

    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise pickle.UnpicklingError(f'getattr of {name!r} on {owner!r}')
    return getattr(owner, name)
