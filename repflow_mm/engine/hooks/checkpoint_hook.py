"""Checkpoints of a run that may be killed at any moment."""

from __future__ import annotations

import copy
import os.path as osp
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmaction.registry import HOOKS
from mmengine.device import get_device
from mmengine.dist import all_gather_object, get_rank, get_world_size, is_main_process
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner
from torch import Tensor, nn

from repflow_mm.compat.checkpoint_files import INTERRUPTED, point_to
from repflow_mm.files import remove_leftovers
from repflow_mm.hardware import device_name
from repflow_mm.models.wrapping import unwrapped

# In the message hub, and so in each checkpoint: the names of those in whose place it is.
_OUTDATED = 'outdated_ckpts'
# What a CheckpointHook knows of its checkpoints.
_OF_CHECKPOINTS = ('keep_ckpt_ids', 'last_ckpt', 'best_ckpt_path', 'best_ckpt_path_dict')


@HOOKS.register_module()
class ResumableCheckpointHook(CheckpointHook):
    """MMEngine's CheckpointHook, which at every moment leaves a whole checkpoint to go on from.

    Takes CheckpointHook's arguments. A checkpoint is removed only when the one that takes its place is whole, and so is
    a best one; ``last_checkpoint`` is replaced at once; what a killed run left half-written is removed at the start.
    The checkpoint of a validated step is written again after the validation, so that a resumed run knows whether the
    score of that step is in it. What it was trained on is the ``device`` in its ``meta``.

    A checkpoint that cannot be written, as on a full disk, is a warning in the log, and the training goes on to the
    next one; those of before are kept.

    Raises:
        OSError: After the training, if the last checkpoint could not be written.
    """

    _rank_buffers = None
    _failure: OSError | None = None

    def before_train(self, runner: Runner) -> None:
        """Take over the checkpoints of the run so far."""
        super().before_train(runner)
        if is_main_process() and isinstance(self.file_backend, LocalBackend):
            for path in remove_leftovers(Path(self.out_dir), '.pth'):
                runner.logger.info(f'{path}, half-written, is removed')
        self.file_backend = _LateRemoval(self.file_backend)
        # What the killed run was about to remove.
        named = runner.message_hub.runtime_info.get(_OUTDATED, [])
        self._remove_late([osp.basename(name) for name in named if _is_checkpoint(name)])
        self._remove_outdated()
        last = runner.message_hub.runtime_info.get('last_ckpt')
        if last is not None:
            self.last_ckpt = self.file_backend.join_path(self.out_dir, osp.basename(last))

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Save the best checkpoint, and that of the validated step again."""
        self._has_saved = False
        with self._unharmed_by_a_full_disk(runner):
            super().after_val_epoch(runner, metrics)
        step = runner.epoch if self.by_epoch else runner.iter
        is_of_this_step = self.last_ckpt and osp.basename(self.last_ckpt) == self.filename_tmpl.format(step)
        if is_of_this_step and not self._has_saved:
            self._save_checkpoint_with_step(runner, step, dict(epoch=runner.epoch, iter=runner.iter))
        self._remove_outdated()

    def after_train(self, runner: Runner) -> None:
        """End with an error if the training's result is not on disk."""
        if self._failure is not None:
            raise OSError(f'the last checkpoint cannot be written: {self._failure}') from self._failure
        super().after_train(runner)

    def save_interrupted(self, runner: Runner, meta: dict[str, int]) -> str:
        """Save the state of a run that is asked to stop, until the next regular checkpoint takes its place.

        Args:
            runner (Runner): The runner.
            meta (dict): Numbers of epochs (``epoch``) and of iterations (``iter``) that are done.

        Returns:
            str: The checkpoint.
        """
        runner.message_hub.update_info(_OUTDATED, [])
        self._write(runner, INTERRUPTED, meta)
        return self.file_backend.join_path(self.out_dir, INTERRUPTED)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        """What upstream does, in an order that is safe, and in vain where the disk is full."""
        self._has_saved = True
        with self._unharmed_by_a_full_disk(runner):
            self._save_in_safe_order(runner, step, meta)

    def _save_in_safe_order(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        """The new checkpoint first, then what names it, then the old ones."""
        # The former best one: the new one is whole, and the checkpoint below names it.
        self._remove_outdated()
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        outdated = [INTERRUPTED, *self._count(step)]
        kept = dict(keep_ckpt_ids=list(self.keep_ckpt_ids)) if self.max_keep_ckpts > 0 else {}
        runner.message_hub.update_info_dict({'last_ckpt': self.last_ckpt, _OUTDATED: outdated, **kept})
        self._write(runner, name, meta)
        self._remove_late(outdated)
        self._remove_outdated()

    def _count(self, step: int) -> list[str]:
        """Count a step's checkpoint among those to keep; returns the names of those that are too many."""
        if self.max_keep_ckpts <= 0 or step in list(self.keep_ckpt_ids)[-1:]:
            return []
        is_full = len(self.keep_ckpt_ids) == self.max_keep_ckpts
        outdated = [self.filename_tmpl.format(self.keep_ckpt_ids.popleft())] if is_full else []
        self.keep_ckpt_ids.append(step)
        return outdated

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add what the ranks have of their own."""
        if self._rank_buffers is not None:
            checkpoint['rank_buffers'] = self._rank_buffers

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Give this rank of a resumed run its own buffers back, if there are as many ranks as before."""
        buffers = checkpoint.get('rank_buffers') or []
        if runner._resume and len(buffers) == get_world_size():
            checkpoint['state_dict'].update(buffers[get_rank()])

    @contextmanager
    def _unharmed_by_a_full_disk(self, runner: Runner) -> Iterator[None]:
        """Report a checkpoint that cannot be written, and be as before it: the next one is tried as if it were new."""
        own = {name: copy.copy(value) for name, value in vars(self).items() if name in _OF_CHECKPOINTS}
        info = dict(runner.message_hub.runtime_info)
        outdated = list(self.file_backend.outdated)
        try:
            yield
            self._failure = None
        except OSError as error:
            vars(self).update(own, _failure=error)
            self.file_backend.outdated[:] = outdated
            runner.message_hub.runtime_info.clear()
            runner.message_hub.runtime_info.update(info)
            runner.logger.warning(
                f'the checkpoint at iteration {runner.iter} cannot be written: {error}; the training goes on, those of '
                'before are kept'
            )

    def _write(self, runner: Runner, name: str, meta: dict[str, Any]) -> None:
        # At the end of an epoch SyncBuffersHook has made the ranks' buffers equal.
        is_between = not self.by_epoch or name == INTERRUPTED
        self._rank_buffers = _buffers_of_all_ranks(runner.model) if is_between else None
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=dict(meta, device=_devices()),
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            point_to(self.file_backend.join_path(self.out_dir, name), runner.work_dir)

    def _remove_late(self, names: list[str]) -> None:
        for name in names if is_main_process() else []:
            self.file_backend.remove(self.file_backend.join_path(self.out_dir, name))

    def _remove_outdated(self) -> None:
        best = getattr(self, 'best_ckpt_path', None), *getattr(self, 'best_ckpt_path_dict', {}).values()
        self.file_backend.remove_outdated(keep=best)


def _devices() -> str:
    """What the run's processes train on, with their number if there are several: ``'8 × NVIDIA H100 80GB HBM3'``."""
    count, name = get_world_size(), device_name(get_device())
    return name if count == 1 else f'{count} × {name}'


def _is_checkpoint(name: object) -> bool:
    """Whether what a checkpoint says to be removed can be one itself; it may come from a stranger."""
    return isinstance(name, str) and name.endswith('.pth')


def _buffers_of_all_ranks(model: nn.Module) -> list[dict[str, Tensor]] | None:
    """What the model of each rank has beside its parameters, such as the running statistics of batch norm."""
    if get_world_size() == 1:
        return None
    model = unwrapped(model)
    saved = model.state_dict()
    return all_gather_object({name: buffer.cpu() for name, buffer in model.named_buffers() if name in saved})


class _LateRemoval:
    """A file backend that removes files when what takes their place is whole."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.outdated = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        self.outdated.append(path)

    def remove_outdated(self, keep: tuple[str | None, ...]) -> None:
        for path in self.outdated:
            if path not in keep and self._backend.exists(path):
                self._backend.remove(path)
        self.outdated.clear()
