"""Check of a checkpoint before it is loaded."""

from __future__ import annotations

import os.path as osp

from mmengine.model import is_model_wrapper
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from repflow_mm.compat.checkpoint_files import latest_checkpoint
from repflow_mm.models.layers.flow_block import current_name

# What a network that starts from another one's weights may have beside them.
_NEW_PARTS = ('.flow_blocks.', '.non_local_block.')


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
        ValueError: If it is no plain checkpoint, or if tensors are missing in it, have another shape or are more than
            the model takes.
    """
    check_checkpoint_file(path)
    found = CheckpointLoader.load_checkpoint(path, map_location='cpu')
    if '://' in path:
        return
    found = {current_name(name): value for name, value in found.get('state_dict', found).items()}
    found = _without_head(found, with_head)
    needed = _without_head((model.module if is_model_wrapper(model) else model).state_dict(), with_head)
    wrong = [
        f'{name} {_shape(found.get(name))} instead of {_shape(value)}'
        for name, value in needed.items()
        if _is_wrong(name, value, found, with_head)
    ]
    wrong += [f'{name} {_shape(value)} too many' for name, value in found.items() if name not in needed]
    if wrong:
        raise ValueError(
            f'checkpoint {path} is of another architecture than the config: {len(wrong)} tensors do not fit, '
            f'the first: {wrong[0]}'
        )


def _without_head(tensors: dict[str, Tensor], with_head: bool) -> dict[str, Tensor]:
    return {name: value for name, value in tensors.items() if with_head or not name.startswith('cls_head.')}


def _is_wrong(name: str, value: Tensor, found: dict[str, Tensor], with_head: bool) -> bool:
    if name not in found:
        return with_head or not any(part in name for part in _NEW_PARTS)
    return found[name].shape != value.shape


def _shape(value: Tensor | None) -> str:
    return '(missing)' if value is None else str(tuple(value.shape))
