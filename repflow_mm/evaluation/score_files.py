"""Reading of dumped scores without running code that the file may carry."""

from __future__ import annotations

import io
import os
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


class _RefusedError(pickle.UnpicklingError):
    """A pickle asks for something that no dump holds."""


def read_score_file(path: str | Path, trust: bool = False) -> list[dict]:
    """Read the samples in a file that ``tools/test.py --dump`` wrote (MMEngine's ``DumpResults``).

    Args:
        path (str | Path): A pickle file. It may hold tensors, numbers, strings and containers; NumPy's values are
            passed over.
        trust (bool): Read it with pickle, which runs what code it carries. Defaults to False.

    Returns:
        list[dict]: What was dumped of each sample, one or more.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, holds anything else, or is no list of samples.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f'score file {path} does not exist')
    try:
        with open(path, 'rb') as file:
            samples = pickle.load(file) if trust else _DumpUnpickler(file).load()
    except OSError:
        raise
    except _RefusedError as error:
        raise ValueError(
            f'{path} is refused: it needs {error}, which no dump of tools/test.py holds; tools/fuse.py --trust reads '
            'it nevertheless, and runs what code it carries'
        ) from error
    except Exception as error:  # whatever the bytes of a damaged pickle lead to
        reason = str(error).partition('\n')[0] or type(error).__name__
        raise ValueError(f'{path} is damaged, or no pickle file: {reason}') from error
    _check_samples(path, samples)
    return samples


def _check_samples(path: str | Path, samples: Any) -> None:
    place = f'{path} is no dump of tools/test.py: expected a list of samples, got'
    if not isinstance(samples, list):
        raise ValueError(f'{place} {type(samples).__name__}')
    if not samples:
        raise ValueError(f'{place} none')
    for number, sample in enumerate(samples):
        if not isinstance(sample, dict):
            raise ValueError(f'{place} {type(sample).__name__} as number {number}')


class _DumpUnpickler(pickle.Unpickler):
    """Unpickler that reaches nothing but the stand-ins of this file."""

    def find_class(self, module: str, name: str) -> Any:
        if module.partition('.')[0] == 'numpy':
            return _PassedOver
        try:
            return _STAND_INS[module, name]
        except KeyError:
            raise _RefusedError(f'{module}.{name}') from None

    def persistent_load(self, key: Any) -> Any:
        raise _RefusedError(f'the object {key!r} of another file'.partition('\n')[0][:80])


class _PassedOver:
    """What stands in the place of NumPy's values, types and functions: no sample's score, label or name is one."""

    __slots__ = ()

    def __new__(cls, *args: Any) -> _PassedOver:
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        pass


class _StandIn:
    """A function that a dump may call, and do nothing else with."""

    __slots__ = ('function',)

    def __init__(self, function: Callable) -> None:
        self.function = function

    def __call__(self, *args: Any) -> Any:
        return self.function(*args)

    def __setstate__(self, state: Any) -> None:
        raise _RefusedError(f'another {self.function.__name__}')


def _storage(content: bytes) -> torch.storage.TypedStorage:
    """The numbers of a tensor, which torch keeps as a file in the file."""
    storage = torch.load(io.BytesIO(content), map_location='cpu', weights_only=True)
    if not isinstance(storage, torch.storage.TypedStorage):
        raise _RefusedError(f'{type(storage).__name__} in the place of a tensor')
    return storage


def _tensor(storage: torch.storage.TypedStorage, offset: int, size: tuple, stride: tuple, *_: Any) -> Tensor:
    tensor, numbers = torch.empty(0, dtype=storage.dtype), storage._untyped_storage
    count = numbers.nbytes() // tensor.element_size()
    # Torch would make the storage larger, with whatever lies in memory.
    if 0 not in size and offset + sum((length - 1) * step for length, step in zip(size, stride)) >= count:
        raise ValueError(f'a tensor {size} reaches beyond its {count} numbers')
    return tensor.set_(numbers, offset, size, stride)


def _bytes(text: str, encoding: str) -> bytes:
    """Bytes as pickle's protocol 2 writes them."""
    if encoding != 'latin1':
        raise _RefusedError(f'the encoding {encoding!r}')
    return text.encode('latin1')


_STAND_INS = {
    ('torch._utils', '_rebuild_tensor_v2'): _StandIn(_tensor),
    ('torch.storage', '_load_from_bytes'): _StandIn(_storage),
    ('_codecs', 'encode'): _StandIn(_bytes),
    ('collections', 'OrderedDict'): OrderedDict,
}
