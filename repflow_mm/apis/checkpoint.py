"""Check of a checkpoint before it is loaded."""

from __future__ import annotations

import os.path as osp
from collections import Counter

from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from repflow_mm.compat.checkpoint_files import latest_checkpoint
from repflow_mm.compat.checkpoint_forms import state_dict_of
from repflow_mm.models.convert import refuse_released
from repflow_mm.models.layers.flow_block import current_name
from repflow_mm.models.wrapping import unwrapped

# What a network that starts from another one's weights may have beside them.
_NEW_PARTS = ('.flow_blocks.', '.non_local_block.')
# How many parts of the network, and how many tensors, a message names of each kind.
MOST_PARTS, MOST_NAMES = 4, 2


def check_checkpoint_file(path: str) -> None:
    """Raise FileNotFoundError for a local checkpoint that does not exist."""
    if '://' not in path and not osp.isfile(path):
        raise FileNotFoundError(f'checkpoint {path} does not exist')


def checkpoint_of(path: str) -> str:
    """The path of a checkpoint; a folder stands for the newest checkpoint of the training in it.

    Raises:
        FileNotFoundError: If there is none.
    """
    if not osp.isdir(path):
        check_checkpoint_file(path)
        return path
    checkpoint = latest_checkpoint(path)
    if checkpoint is None:
        raise FileNotFoundError(f'folder {path} holds no checkpoint of a training')
    return checkpoint


def check_checkpoint(model: nn.Module, path: str, with_head: bool) -> None:
    """Check that a checkpoint is one of the model's architecture.

    MMEngine loads what fits and only logs the rest, so a checkpoint of another network would go unnoticed.

    Args:
        model (nn.Module): The recognizer, wrapped for distributed training or not.
        path (str): The checkpoint. One from an address is loaded, so that it is refused here if it is no plain one, but
            not compared: those of other projects have names of their own.
        with_head (bool): Whether the checkpoint must be of the whole model, as in testing. Otherwise, as in
            fine-tuning, the head may differ, and flow and non-local blocks may be missing in it.

    Raises:
        FileNotFoundError: If the checkpoint does not exist.
        ConnectionError: If it cannot be downloaded.
        ValueError: If it is no plain checkpoint, or holds the authors' weights under their own names, or if tensors are
            missing in it, have another shape or are more than the model takes; the message counts them by parts.
    """
    check_checkpoint_file(path)
    content = CheckpointLoader.load_checkpoint(path, map_location='cpu')
    state = state_dict_of(content, path)
    refuse_released(state, path)
    if '://' in path:
        return
    found = _without_head({current_name(name): value for name, value in state.items()}, with_head)
    needed = _without_head(unwrapped(model).state_dict(), with_head)
    missing = [name for name in needed if name not in found and (with_head or not _is_new(name))]
    other = [name for name, value in needed.items() if name in found and found[name].shape != value.shape]
    unknown = [name for name in found if name not in needed]
    if not (missing or other or unknown):
        return
    parts = [_counted(missing, 'missing in it'), _counted(unknown, 'unknown to the config')]
    shapes = {name: f'{tuple(found[name].shape)} instead of {tuple(needed[name].shape)}' for name in other}
    parts.append(_counted(other, 'of another shape', shapes))
    raise ValueError(
        f'checkpoint {path}{_origin(content)} is of another architecture than the config: of {len(needed)} tensors '
        f'{len(needed) - len(missing) - len(other)} fit; {"; ".join(filter(None, parts))}. '
        f'{_way_out(path, [*missing, *other, *unknown], with_head)}'
    )


def _without_head(tensors: dict[str, Tensor], with_head: bool) -> dict[str, Tensor]:
    return {name: value for name, value in tensors.items() if with_head or not name.startswith('cls_head.')}


def _is_new(name: str) -> bool:
    return any(part in name for part in _NEW_PARTS)


def _counted(names: list[str], kind: str, notes: dict[str, str] | None = None) -> str:
    """How many tensors of which parts of the network are of a kind, and the first of them; '' if there are none."""
    if not names:
        return ''
    parts = Counter('.'.join(name.split('.')[:2]) for name in names).most_common()
    listed = ', '.join(f'{part} {count}' for part, count in parts[:MOST_PARTS])
    more = f' and {len(parts) - MOST_PARTS} parts more' if len(parts) > MOST_PARTS else ''
    first = ', '.join(f'{name} {(notes or {}).get(name, "")}'.strip() for name in names[:MOST_NAMES])
    return f'{len(names)} {kind} ({listed}{more}), as {first}'


def _origin(content: dict) -> str:
    """What to say of a file of MMAction2 0.x, whose meta tells the versions of the time."""
    meta = content.get('meta')
    if not isinstance(meta, dict) or 'mmcv_version' not in meta or 'mmengine_version' in meta:
        return ''
    return f' (of MMAction2 {meta.get("mmaction_version", "0.x")}, before MMEngine)'


def _way_out(path: str, wrong: list[str], with_head: bool) -> str:
    """What to do about a checkpoint that does not fit."""
    if all(name.startswith('cls_head.') for name in wrong):
        return f'To train another head from it: --cfg-options load_from={path}; to test it: set model.cls_head as it is'
    if with_head and all(_is_new(name) for name in wrong):
        return (
            'Test it with the config that it was trained with, or train the other blocks first: --cfg-options '
            f'load_from={path}'
        )
    return 'Take the config that it was trained with, or the weights that fit this one'
