"""The forms that weights come in, brought to one: the names that the bare module gives its tensors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from repflow_mm.compat.patching import replace

# What DistributedDataParallel and averages of weights put in front of every name.
_WRAPPER = 'module.'
# What torch.compile puts in front of the names of a module, be it the whole network or a part of it.
_COMPILED = re.compile(r'(?:(?<=\.)|^)_orig_mod\.')
# By which averages of weights count their updates: torch's AveragedModel and MMEngine's ExponentialMovingAverage.
_COUNTERS = ('n_averaged', 'steps')
# A file of safetensors begins with the length of its header, which is a JSON object.
_LENGTH_BYTES = 8


def with_plain_names(content: object) -> object:
    """A checkpoint whose weights have the names of the bare module; what is no checkpoint is returned as it is.

    Taken are a dict with ``state_dict`` and a dict of tensors alone, from a module that was distributed, compiled, both
    in any order, or averaged. Of MMEngine's EMAHook the average is in ``state_dict`` and the last weights are in
    ``ema_state_dict``, under the names that the hook resumes from: that stays so. MMCV 1.x kept the last weights in
    buffers ``ema_*`` beside the average: they are left out.
    """
    if not isinstance(content, dict):
        return content
    if isinstance(content.get('state_dict'), dict):
        content['state_dict'] = plain_names(content['state_dict'])
        if isinstance(content.get('ema_state_dict'), dict):
            content['ema_state_dict'] = _averages_names(content['ema_state_dict'])
    elif _are_weights(content):
        return plain_names(content)
    return content


def plain_names(state: dict) -> dict:
    """A state dict with the names that the bare module gives its tensors, and with its modules' versions as before.

    ``module.`` goes only where every name begins with it, as a network may have a part of that name.
    """
    if not all(isinstance(name, str) for name in state):
        return state
    depth = _wrappers_around(_COMPILED.sub('', name) for name in state)
    names = {name: _plain(name, depth) for name in state}
    dropped = {'ema_' + name.replace('.', '_') for name in names.values()} | set(_COUNTERS if depth else ())
    names = {old: new for old, new in names.items() if new not in dropped}
    if list(names) == list(names.values()) and len(names) == len(state):
        return state
    plain = type(state)((new, state[old]) for old, new in names.items())
    if hasattr(state, '_metadata'):
        paths = {path: _plain(f'{path}.', depth).removesuffix('.') if path else '' for path in state._metadata}
        # The wrapper's own path comes first; what is inside of it takes its place.
        plain._metadata = type(state._metadata)((paths[path], value) for path, value in state._metadata.items())
    return plain


def _wrappers_around(names: Iterable[str]) -> int:
    """How often ``module.`` stands in front of every name but those of counters."""
    inside = [[*name.split('.')[:-1], ''] for name in names if name.split('.')[-1] not in _COUNTERS]
    depths = [next(k for k, part in enumerate(parts) if part != 'module') for parts in inside]
    return min(depths, default=0)


def _plain(name: str, depth: int) -> str:
    name = _COMPILED.sub('', name)
    for _ in range(depth):
        name = name.removeprefix(_WRAPPER)
    return name


def state_dict_of(content: object, name: str) -> dict[str, Tensor]:
    """The weights of a checkpoint.

    Args:
        content (object): What :class:`mmengine.runner.CheckpointLoader` gives.
        name (str): What the error calls it.

    Raises:
        ValueError: If it holds no state dict; the message says what it holds.
    """
    state = content.get('state_dict', content) if isinstance(content, dict) else None
    if isinstance(state, dict) and (_are_weights(state) or not state):
        return state
    found = ', '.join(map(repr, list(content)[:6])) if isinstance(content, dict) else type(content).__name__
    raise ValueError(
        f"checkpoint {name} holds no state dict, neither as 'state_dict' nor as the whole file; it holds {found}. "
        'Weights under another name load once they are saved as dict(state_dict=...)'
    )


def is_safetensors(name: str, beginning: bytes) -> bool:
    """Whether a file is one of safetensors, by its name or by its first bytes: a length, then a JSON object."""
    return name.endswith('.safetensors') or beginning[_LENGTH_BYTES : _LENGTH_BYTES + 1] == b'{'


def read_safetensors(content: bytes, name: str, map_location: str | torch.device | Callable | None) -> dict:
    """The tensors of a file of safetensors, which can hold nothing else, as a checkpoint.

    Args:
        content (bytes): The file's bytes.
        name (str): What the errors call it.
        map_location (str | torch.device | Callable, optional): Where the tensors go; a function leaves them on the CPU.

    Raises:
        ValueError: If the package safetensors is not installed, or the file is damaged.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load
    except ImportError as error:
        raise ValueError(
            f"checkpoint {name} needs the package safetensors: pip install 'repflow_mm[safetensors]' ({error})"
        ) from error
    try:
        state = load(content)
    except SafetensorError as error:
        raise ValueError(f'checkpoint {name} is damaged or incomplete: {error}') from error
    if isinstance(map_location, (str, torch.device)):
        state = {key: value.to(map_location) for key, value in state.items()}
    return dict(state_dict=state)


def give_runners_a_state_dict() -> bool:
    """Let a Runner load a file that is a state dict itself (mmengine ``runner.py``, no thread).

    Upstream loads it into the model, but its hooks look for ``checkpoint['state_dict']``: EMAHook fails with KeyError.

    Returns:
        bool: Whether the workaround is in place.
    """
    import mmengine.runner.runner as runner

    def make(upstream: Callable) -> Callable:
        def load(*args, **kwargs) -> dict:
            content = upstream(*args, **kwargs)
            return dict(state_dict=content) if isinstance(content, dict) and _are_weights(content) else content

        return load

    replace(runner, '_load_checkpoint', make)
    return True


def _are_weights(content: dict) -> bool:
    return bool(content) and all(isinstance(value, Tensor) for value in content.values())


def _averages_names(state: dict) -> dict:
    """What EMAHook resumes from: each name of the bare module behind ``module.``, and the counter."""
    counters = {name: state[name] for name in _COUNTERS if name in state}
    plain = plain_names({name: value for name, value in state.items() if name not in counters})
    return type(state)([*counters.items(), *((_WRAPPER + name, value) for name, value in plain.items())])
