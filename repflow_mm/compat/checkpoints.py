"""Loading of checkpoints without running code that they carry, from wherever MMEngine takes them."""

from __future__ import annotations

import difflib
import errno
import http.client
import importlib
import io
import logging
import os
import pickle
import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import torch

from repflow_mm.compat.checkpoint_forms import is_safetensors, read_safetensors, with_plain_names
from repflow_mm.compat.config_text import parse_config_text
from repflow_mm.files import sha256_of

# Of errors of the system, those that damaged bytes lead to: a place before the file's start, or no number at all.
_ERRNOS_OF_DAMAGE = (None, errno.EINVAL)
# Torch's own names: a hyphen and the first digits of the file's SHA-256, before the suffix.
_HASH = re.compile(r'-([0-9a-f]{8,64})\.')


def load_checkpoints_safely() -> bool:
    """Load checkpoints with ``weights_only=True`` and MMEngine's own classes allowed (mmengine#1655, #1650).

    Upstream's ``torch.load`` fails on every Runner checkpoint since torch 2.6, as the message hub in it is no plain
    data; and what it takes from an address it unpickles, code included. Anything beyond tensors, plain data and the
    message hub's numbers is refused, whatever scheme of MMEngine it comes by. Files of safetensors are taken too, and
    whatever the form, the tensors get the names of the bare module (``checkpoint_forms``).

    Returns:
        bool: Whether the workaround is in place.
    """
    from mmengine.runner import CheckpointLoader

    for prefixes, loader in _LOADERS.items():
        CheckpointLoader.register_scheme(prefixes=prefixes, loader=loader, force=True)
    return True


def load_from_local(filename: str, map_location: str | Callable | None = None) -> dict:
    """Load a file on this machine."""
    filename = os.path.expanduser(filename)
    if not os.path.isfile(filename):
        raise FileNotFoundError(f'checkpoint {filename} does not exist')
    return _read(filename, filename, map_location)


def load_from_http(address: str, map_location: str | Callable | None = None) -> dict:
    """Load from an address, through torch's hub cache; in a distributed run the first process downloads.

    Raises:
        ConnectionError: If the address cannot be read.
        ValueError: If the file's name has a hash and the file another one, or it is no plain checkpoint.
    """
    from mmengine.dist import barrier, get_rank

    path = None
    try:
        if get_rank() == 0:
            path = _downloaded(address)
    finally:
        barrier()
    return _read(path or _downloaded(address), address, map_location)


def load_from_torchvision(address: str, map_location: str | Callable | None = None) -> dict:
    """Load weights of torchvision's by their name there."""
    from mmengine.runner.checkpoint import get_torchvision_models

    return load_from_http(_looked_up(address, get_torchvision_models()), map_location)


def load_from_openmmlab(address: str, map_location: str | Callable | None = None) -> dict:
    """Load weights of OpenMMLab's by their name there."""
    from mmengine.runner.checkpoint import _get_mmengine_home, get_deprecated_model_names, get_external_models

    models = get_external_models()
    models |= {old: models[name] for old, name in get_deprecated_model_names().items() if name in models}
    place = _looked_up(address, models)
    if place.startswith(('http://', 'https://')):
        return load_from_http(place, map_location)
    return load_from_local(os.path.join(_get_mmengine_home(), place), map_location)


def load_from_mmcls(address: str, map_location: str | Callable | None = None) -> dict:
    """Load the backbone of a classifier of OpenMMLab's."""
    from mmengine.runner.checkpoint import _process_mmcls_checkpoint, get_mmcls_models

    return _process_mmcls_checkpoint(load_from_http(_looked_up(address, get_mmcls_models()), map_location))


def load_from_pavi(address: str, map_location: str | Callable | None = None) -> dict:
    """Load from a model cloud, whose client must be installed."""
    from pavi import modelcloud

    model = modelcloud.get(address.removeprefix('pavi://'))
    with TemporaryDirectory() as folder:
        path = os.path.join(folder, os.path.basename(model.name))
        model.download(path)
        return _read(path, address, map_location)


def load_from_ceph(address: str, map_location: str | Callable | None = None) -> dict:
    """Load from object storage, whose client must be installed."""
    from mmengine.fileio import get_file_backend

    content = get_file_backend(address, backend_args=dict(backend='petrel')).get(address)
    return _read(io.BytesIO(content), address, map_location)


_LOADERS = {
    '': load_from_local,
    ('http://', 'https://'): load_from_http,
    ('modelzoo://', 'torchvision://'): load_from_torchvision,
    ('open-mmlab://', 'openmmlab://'): load_from_openmmlab,
    'mmcls://': load_from_mmcls,
    'pavi://': load_from_pavi,
    (r'(\S+\:)?s3://', r'(\S+\:)?petrel://'): load_from_ceph,
}


def _looked_up(address: str, models: dict[str, str]) -> str:
    """Where the weights lie that ``scheme://name`` stands for."""
    scheme, _, name = address.partition('://')
    if name not in models:
        near = ', '.join(difflib.get_close_matches(name, models)) or 'none'
        raise ValueError(f'{scheme}:// knows no weights {name!r}; similar names: {near}')
    return models[name]


def _downloaded(address: str) -> str:
    """The file of an address in torch's hub cache, its hash checked where its name holds one."""
    name = os.path.basename(urlsplit(address).path)
    if name in ('', '.', '..'):
        raise ValueError(f'checkpoint {address} cannot be downloaded: the address ends in no file name')
    path = os.path.join(torch.hub.get_dir(), 'checkpoints', name)
    wanted = _HASH.search(name)
    if os.path.isfile(path):
        if wanted and not (found := sha256_of(path)).startswith(wanted[1]):
            raise ValueError(
                f'checkpoint {path} is refused: its SHA-256 begins with {found[: len(wanted[1])]}, not with the '
                f'{wanted[1]} of its name; delete it, and {address} is downloaded again'
            )
        return path
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        torch.hub.download_url_to_file(address, path, wanted and wanted[1], progress=sys.stderr.isatty())
    except RuntimeError as error:  # the hash
        raise ValueError(f'checkpoint {address} is refused: {error}') from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ConnectionError(f'checkpoint {address} cannot be downloaded: {error}') from error
    return path


def _read(source: str | io.BytesIO, name: str, map_location: str | Callable | None) -> dict:
    """Load a checkpoint without running code that it carries; ``name`` is what the errors call it."""
    if beginning := _foreign_beginning(source):
        raise ValueError(f'checkpoint {name} is no checkpoint: it is text, which begins with {beginning!r}')
    if is_safetensors(name, _first_bytes(source, 16)):
        content = source.getvalue() if isinstance(source, io.BytesIO) else Path(source).read_bytes()
        return with_plain_names(read_safetensors(content, name, map_location))
    try:
        _check_sums(source)
        with torch.serialization.safe_globals(_checkpoint_globals()):
            content = torch.load(source, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f'checkpoint {name} is refused: it is no plain checkpoint ({_refusal(str(error))}). Allowed are '
            'tensors, numbers, strings, containers, and the log history of MMEngine; code is never run from a '
            'checkpoint'
        ) from error
    except Exception as error:  # damaged bytes lead to errors of any kind, in torch, pickle, zipfile and zlib
        is_systems = isinstance(error, OSError) and error.errno not in _ERRNOS_OF_DAMAGE
        if is_systems or 'deserialize object on' in str(error):  # the device's absence, not the file's fault
            raise
        reason = str(error).partition('\n')[0] or type(error).__name__
        raise ValueError(f'checkpoint {name} is damaged or incomplete: {reason}') from error
    _leave_out_config(content, name)
    return with_plain_names(content)


def _foreign_beginning(source: str | io.BytesIO) -> str:
    """The first characters of a file of text, which torch.save never writes; '' of any other file."""
    text = _first_bytes(source, 40).decode('utf-8', errors='replace')
    return text if all(character.isprintable() or character.isspace() for character in text) else ''


def _first_bytes(source: str | io.BytesIO, count: int) -> bytes:
    if isinstance(source, io.BytesIO):
        return source.getvalue()[:count]
    with open(source, 'rb') as file:
        return file.read(count)


def _check_sums(source: str | io.BytesIO) -> None:
    """Compare each part of the file with its check sum, which torch's own loading does not."""
    if zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            # torch.serialization.set_crc32_options(False) writes zeros.
            has_sums = any(part.CRC for part in archive.infolist())
            damaged = archive.testzip() if has_sums else None
        if damaged is not None:
            raise ValueError(f'{damaged} in it has another check sum than when it was written')
    if isinstance(source, io.BytesIO):
        source.seek(0)


def _leave_out_config(content: object, name: str) -> None:
    """Take the config out of a checkpoint's ``meta`` unless it is data; a resumed run would compare it with its own."""
    meta = content.get('meta') if isinstance(content, dict) else None
    if not isinstance(meta, dict) or 'config' not in meta:
        return
    try:
        if not isinstance(meta['config'], str):
            raise ValueError(f'a config must be text, got {type(meta["config"]).__name__}')
        parse_config_text(meta['config'])
    except ValueError as error:
        logging.getLogger(__name__).warning('checkpoint %s: its config is left out: %s', name, error)
        del meta['config']


def _refusal(message: str) -> str:
    """What torch's long message says of the culprit, which stands in its last paragraph but one."""
    if 'GLOBAL' in message:
        return 'it needs ' + message.split('GLOBAL', 1)[1].split()[0]
    paragraphs = [part for part in message.split('\n\n') if part and not part.startswith('Check the documentation')]
    # torch 2.6 asks to file an issue before it says what is wrong, on the same line.
    return paragraphs[-1].splitlines()[-1].rpartition('WeightsUnpickler error: ')[2].strip()


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
