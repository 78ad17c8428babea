"""Each breakage of upstream that is worked around: one function each, which does nothing where upstream is whole."""

from __future__ import annotations

import functools
import importlib.util
import os
import pickle
import struct
import sys
import types
import warnings
from collections.abc import Callable
from importlib import metadata

import torch

# package: (distributions that provide it, lowest version, first version that is too new)
SUPPORTED_VERSIONS = {
    'mmaction': (('mmaction2',), '1.2.0', '1.3.0'),
    'mmengine': (('mmengine', 'mmengine-lite'), '0.10.0', '0.11.0'),
    'mmcv': (('mmcv', 'mmcv-lite'), '2.0.0', '2.2.0'),
}


def version_problems() -> list[str]:
    """One line for each of MMAction2, MMEngine and MMCV that is missing or has a version that is not supported."""
    problems = []
    for package, (distributions, lowest, too_new) in SUPPORTED_VERSIONS.items():
        found = installed_versions(distributions)
        name = ' or '.join(distributions)
        allowed = f'allowed: >= {lowest}, < {too_new}'
        if not found or importlib.util.find_spec(package) is None:
            problems.append(f'{name}: not installed ({allowed})')
        elif len(found) > 1:
            both = ' and '.join(f'{key} {value}' for key, value in found.items())
            problems.append(f'{both} are both installed and overwrite each other: uninstall both, then install one')
        elif not _release(lowest) <= _release(*found.values()) < _release(too_new):
            problems.append(f'{name}: found {next(iter(found.values()))} ({allowed})')
    return problems


def installed_versions(distributions: tuple[str, ...]) -> dict[str, str]:
    """Those of the distributions that are installed, with their versions."""
    found = {}
    for name in distributions:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _release(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, padded to three: '2.1.0rc4' -> (2, 1, 0)."""
    numbers = []
    for part in version.split('+')[0].split('.')[:3]:
        digits = part[: len(part) - len(part.lstrip('0123456789'))]
        numbers.append(int(digits or 0))
    return tuple(numbers + [0] * (3 - len(numbers)))


def check_versions() -> None:
    """Raise ImportError, saying what was found and what is allowed, if upstream's versions cannot work."""
    problems = version_problems()
    if problems:
        lines = '\n'.join(f'  - {problem}' for problem in problems)
        raise ImportError(f'repflow_mm cannot run with the installed versions:\n{lines}')


def add_missing_drn() -> bool:
    """Put a stub in place of ``mmaction.models.localizers.drn``, which the 1.2.0 wheel lacks (mmaction2#2714).

    Returns:
        bool: Whether the stub was needed.
    """
    package = 'mmaction.models.localizers.drn'
    folder = importlib.util.find_spec('mmaction').submodule_search_locations[0]
    if package in sys.modules:
        return not hasattr(sys.modules[package], '__file__')
    if os.path.isfile(os.path.join(folder, 'models', 'localizers', 'drn', 'drn.py')):
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


def run_distributed_on_cpu() -> bool:
    """Let ``--launcher pytorch`` and ``slurm`` work without CUDA, with gloo (mmengine ``dist/utils.py``, no thread).

    Upstream calls ``torch.cuda.set_device`` unconditionally and gives DDP a CUDA device index.

    Returns:
        bool: Whether the workaround is in place, that is, whether no accelerator is there.
    """
    import mmengine.dist.utils as dist_utils
    from mmengine.device import get_device
    from mmengine.model import MMDistributedDataParallel

    if get_device() != 'cpu':
        return False
    dist_utils._init_dist_pytorch = _init_gloo
    dist_utils._init_dist_slurm = _init_gloo_slurm
    upstream_init = MMDistributedDataParallel.__init__
    if getattr(upstream_init, 'is_workaround', False):
        return True

    def init_without_device_ids(self, module, *args, **kwargs):
        kwargs.pop('device_ids', None)
        upstream_init(self, module, *args, **kwargs)

    init_without_device_ids.is_workaround = True
    MMDistributedDataParallel.__init__ = init_without_device_ids
    return True


def _init_gloo(backend: str, init_backend: str = 'torch', **kwargs) -> None:
    """``_init_dist_pytorch`` for a machine without accelerator: gloo, whatever backend the config names."""
    torch.distributed.init_process_group(backend='gloo', **kwargs)


def _init_gloo_slurm(backend: str, port: int | None = None, init_backend: str = 'torch', **kwargs) -> None:
    """``_init_dist_slurm`` for nodes without accelerator: slurm's variables as torch's, then gloo."""
    import subprocess

    os.environ.update(
        RANK=os.environ['SLURM_PROCID'],
        WORLD_SIZE=os.environ['SLURM_NTASKS'],
        LOCAL_RANK=os.environ['SLURM_LOCALID'],
    )
    if port is not None:
        os.environ['MASTER_PORT'] = str(port)
    os.environ.setdefault('MASTER_PORT', '29500')
    if 'MASTER_ADDR' not in os.environ:
        hosts = subprocess.check_output(('scontrol', 'show', 'hostname', os.environ['SLURM_NODELIST']), text=True)
        os.environ['MASTER_ADDR'] = hosts.split()[0]
    torch.distributed.init_process_group(backend='gloo', **kwargs)


def accept_bfloat16_scores() -> bool:
    """Let heads train under bfloat16 autocast (mmaction2 ``models/heads/base.py``, no thread).

    Upstream computes the training accuracy in NumPy, which has no bfloat16.

    Returns:
        bool: Whether the workaround is in place.
    """
    from mmaction.models.heads import BaseHead

    upstream = BaseHead.loss_by_feat
    if getattr(upstream, 'is_workaround', False):
        return True

    def loss_by_feat(self, cls_scores, data_samples):
        is_bfloat16 = isinstance(cls_scores, torch.Tensor) and cls_scores.dtype == torch.bfloat16
        return upstream(self, cls_scores.float() if is_bfloat16 else cls_scores, data_samples)

    loss_by_feat.is_workaround = True
    BaseHead.loss_by_feat = loss_by_feat
    return True


WORKAROUNDS = {
    'mmaction2#2714: the wheel lacks mmaction.models.localizers.drn': add_missing_drn,
    'mmaction2: its retrieval models fail with new versions of transformers': leave_out_multimodal,
    'mmcv#3035, #3263: no wheels of full mmcv, and mmcv-lite warns': silence_missing_mmcv_ops,
    'mmengine#1655, #1650: checkpoints do not load on torch >= 2.6': load_checkpoints_safely,
    'mmengine: distributed launchers need CUDA': run_distributed_on_cpu,
    'mmaction2: no head trains on bfloat16 scores': accept_bfloat16_scores,
}


def apply_workarounds() -> dict[str, bool]:
    """Put every workaround in place that is needed; returns for each whether it was."""
    return {breakage: workaround() for breakage, workaround in WORKAROUNDS.items()}


@functools.cache
def prepare_upstream() -> None:
    """Check upstream's versions and put the workarounds in place; in each process the first call does it.

    Every package that imports something of MMAction2, MMEngine or MMCV calls this before.

    Raises:
        ImportError: If one of them is missing or has a version that is not supported.
    """
    check_versions()
    apply_workarounds()
