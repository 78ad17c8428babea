"""Checkpoints as files: written whole or not at all, and the newest whole one found."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from pathlib import Path

import torch

from repflow_mm.compat.checkpoints import load_from_local
from repflow_mm.compat.patching import replace
from repflow_mm.files import completed

# The text file beside a run's checkpoints that names the newest one.
POINTER = 'last_checkpoint'
# Where a run that was asked to stop saves its state.
INTERRUPTED = 'interrupted.pth'
# What a run knows of its checkpoints, in its message hub: the path of the best, or of each that is, and numbers.
_BEST, _KEPT = 'best_ckpt', 'keep_ckpt_ids'
# Names as of CheckpointHook.filename_tmpl, with the number of epochs or iterations.
_NUMBERED = re.compile(r'(?!best_)(.*_)(\d+)\.pth')


def write_checkpoints_whole() -> bool:
    """Let every checkpoint appear under its name only when it is complete (mmengine ``checkpoint.py``, no thread).

    Upstream rewrites a run's newest checkpoint in place; a run that was killed meanwhile could not be resumed.

    Returns:
        bool: Whether the workaround is in place.
    """
    import mmengine.runner
    from mmengine.fileio import LocalBackend, get_file_backend

    def make(upstream: Callable) -> Callable:
        def save_checkpoint(
            checkpoint: dict, filename: str, file_client_args: dict | None = None, backend_args: dict | None = None
        ) -> None:
            is_local = isinstance(get_file_backend(filename, backend_args=backend_args), LocalBackend)
            if is_local and file_client_args is None:
                write_checkpoint(checkpoint, Path(filename))
            else:
                upstream(checkpoint, filename, file_client_args, backend_args)

        return save_checkpoint

    for module in (mmengine.runner, mmengine.runner.runner, mmengine.runner.checkpoint):
        replace(module, 'save_checkpoint', make)
    return True


def find_usable_checkpoints() -> bool:
    """Let ``resume=True`` and ``--resume auto`` pass over damaged checkpoints (mmengine ``checkpoint.py``, no thread).

    Upstream takes what the file ``last_checkpoint`` says, be it whole, damaged, missing or in another folder.

    Returns:
        bool: Whether the workaround is in place.
    """
    import mmengine.runner

    for module in (mmengine.runner, mmengine.runner.runner, mmengine.runner.checkpoint):
        module.find_latest_checkpoint = find_latest_checkpoint
    return True


def remove_own_checkpoints_alone() -> bool:
    """Let a resumed run remove checkpoints in its own folder alone (mmengine ``checkpoint_hook.py``, no thread).

    Upstream removes a former best checkpoint by the path that the resumed checkpoint says: any file of a stranger's
    choice, and of a copied folder the one in the folder that it was copied from.

    Returns:
        bool: Whether the workaround is in place.
    """
    from mmengine.hooks import CheckpointHook

    def make(upstream: Callable) -> Callable:
        def before_train(self, runner):
            info = runner.message_hub.runtime_info
            _forget_foreign_names(info)
            upstream(self, runner)
            for key in filter(_names_a_best, info):
                info[key] = own = self.file_backend.join_path(self.out_dir, os.path.basename(info[key]))
                if key == _BEST:
                    self.best_ckpt_path = own
                elif hasattr(self, 'best_ckpt_path_dict'):
                    self.best_ckpt_path_dict[key.removeprefix(f'{_BEST}_')] = own

        return before_train

    replace(CheckpointHook, 'before_train', make)
    return True


def _forget_foreign_names(info: dict) -> None:
    """Take out of a message hub what no run has written there of its checkpoints."""
    if _KEPT in info:
        info[_KEPT] = [step for step in info[_KEPT] if isinstance(step, int)]
    # The name of a folder, such as '..', would be that of what is removed with all that is in it.
    for key in [key for key in info if _names_a_best(key) and not _is_best(info[key])]:
        del info[key]


def _names_a_best(key: str) -> bool:
    return key == _BEST or key.startswith(f'{_BEST}_')


def _is_best(path: object) -> bool:
    return isinstance(path, str) and os.path.basename(path).startswith('best_')


def write_checkpoint(checkpoint: dict, path: Path) -> None:
    """Write a checkpoint to a temporary file beside ``path``, wait for the disk, and give it its name.

    Raises:
        OSError: If the file cannot be written; one of that name is then as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with completed(path, durable=True) as temporary, temporary.open('wb') as file:
        try:
            torch.save(checkpoint, file)
        except RuntimeError as error:  # torch's complaint of its half file, over what the disk said
            raise (error.__context__ if isinstance(error.__context__, OSError) else error) from None


def point_to(checkpoint: str, folder: str | Path) -> None:
    """Let the text file ``last_checkpoint`` of a run's folder name a checkpoint."""
    with completed(Path(folder, POINTER), durable=True) as temporary:
        temporary.write_text(checkpoint, encoding='utf-8')


def find_latest_checkpoint(path: str) -> str | None:
    """The newest checkpoint in a run's folder that a training can go on from, the same in all processes.

    Args:
        path (str): The run's folder.

    Returns:
        str or None: The checkpoint; None if there is none, which is logged.
    """
    from mmengine.dist import broadcast_object_list, get_rank

    found = [latest_checkpoint(path) if get_rank() == 0 else None]
    broadcast_object_list(found)
    if found[0] is None:
        _log(f'no checkpoint in {path} to go on from: the training starts from the beginning')
    return found[0]


def latest_checkpoint(folder: str | Path) -> str | None:
    """:func:`find_latest_checkpoint` of this process alone.

    The one that ``last_checkpoint`` names comes first, then the others by their numbers. Of a name in another folder,
    as a copied folder's is, the file of that name in this folder is taken. Each that cannot be used is logged with the
    reason; that there is none is not.
    """
    for path in _candidates(Path(folder)):
        try:
            _check_state(load_from_local(path, map_location='cpu'), path)
        except (OSError, ValueError) as error:
            _log(f'{error}; the checkpoint before it is taken', logging.WARNING)
        else:
            return path
    return None


def _candidates(folder: Path) -> list[str]:
    """Checkpoints of a run, the newest first; the first one may not exist."""
    pointer = folder / POINTER
    named = pointer.read_text(encoding='utf-8', errors='replace').strip() if pointer.is_file() else ''
    name = os.path.basename(named)
    home = folder
    if name and not _training_checkpoints(folder) and _training_checkpoints(Path(named).parent):
        # The checkpoints of CheckpointHook(out_dir=...) are elsewhere.
        home = Path(named).parent
    first = [name] if name else []
    others = _training_checkpoints(home)
    prefix = _prefix(name)
    others.sort(key=lambda other: (other == INTERRUPTED, _prefix(other) == prefix, _number(other)), reverse=True)
    return [str(home / other) for other in first + [other for other in others if other != name]]


def _training_checkpoints(folder: Path) -> list[str]:
    """Names of the checkpoints in a folder that hold a training's state."""
    if not folder.is_dir():
        return []
    names = (entry.name for entry in folder.iterdir() if not entry.name.startswith('.'))
    return [name for name in names if name == INTERRUPTED or _NUMBERED.fullmatch(name)]


def _prefix(name: str) -> str:
    found = _NUMBERED.fullmatch(name)
    return found[1] if found else ''


def _number(name: str) -> int:
    found = _NUMBERED.fullmatch(name)
    return int(found[2]) if found else 0


def _check_state(checkpoint: object, path: str) -> None:
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    parts = {**(meta if isinstance(meta, dict) else {}), **(checkpoint if isinstance(checkpoint, dict) else {})}
    missing = [name for name in ('state_dict', 'message_hub', 'epoch', 'iter') if name not in parts]
    if missing:
        raise ValueError(f'checkpoint {path} holds no state of a training: {", ".join(missing)} missing')


def _log(message: str, level: int = logging.INFO) -> None:
    from mmengine.logging import print_log

    print_log(message, logger='current', level=level)
