"""Whether a training can go on from a checkpoint, and whether there is anything left to do."""

from __future__ import annotations

from collections.abc import Iterator

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn
from torch.optim import Optimizer

from repflow_mm.models.wrapping import unwrapped

# What a learning rate schedule and paramwise_cfg add to an optimizer's parameter groups.
_NOT_THE_OPTIMIZERS = {'params', 'initial_lr', 'lr_mult', 'decay_mult'}


class CannotResumeError(ValueError):
    """A checkpoint that is whole, and that no training can go on from."""


@HOOKS.register_module()
class ResumeCheckHook(Hook):
    """Check the checkpoint that a training is to go on from, and say so if the training is complete already.

    Raises:
        CannotResumeError: If the checkpoint holds no training's state, or that of another network or optimizer; the
            message says how to start from its weights.
    """

    priority = 'VERY_HIGH'

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check a checkpoint when it is read, and nothing is loaded from it yet."""
        if not runner._resume or runner._train_loop is None:
            return
        optimizer = getattr(runner.optim_wrapper, 'optimizer', None)
        reason = next(_reasons(checkpoint, unwrapped(runner.model), optimizer), None)
        if reason is not None:
            name = runner._load_from or f'in {runner.work_dir}'
            raise CannotResumeError(
                f'the training cannot go on from checkpoint {name}: {reason}; to start anew from its weights, leave '
                f'out --resume and say --cfg-options load_from={runner._load_from or "CHECKPOINT"}'
            )

    def before_train(self, runner: Runner) -> None:
        """Say that nothing is left to do."""
        if runner.iter >= runner.max_iters or runner.epoch >= runner.max_epochs:
            done = f'epoch {runner.epoch} of {runner.max_epochs}, iteration {runner.iter} of {runner.max_iters}'
            runner.logger.info(f'nothing is left to train: {done}')


def _reasons(checkpoint: dict, model: nn.Module, optimizer: Optimizer | None) -> Iterator[str]:
    """Why a training of a model cannot go on from a checkpoint, in the order of importance."""
    meta = checkpoint.get('meta')
    found = {*checkpoint, *(meta if isinstance(meta, dict) else ())}
    missing = [name for name in ('state_dict', 'message_hub', 'optimizer', 'epoch', 'iter') if name not in found]
    if missing:
        yield f'it holds no {", ".join(missing)}, as a published one or one of MMAction2 0.x'
        return
    tensors = checkpoint['state_dict']
    for name, value in model.state_dict().items():
        if name in tensors and tensors[name].shape != value.shape:
            yield f'its network is another one ({name} {tuple(tensors[name].shape)} instead of {tuple(value.shape)})'
    if optimizer is not None:
        yield from _optimizer_reasons(checkpoint['optimizer'], optimizer)


def _optimizer_reasons(state: dict, optimizer: Optimizer) -> Iterator[str]:
    groups, own = state.get('param_groups') or [], optimizer.param_groups
    kind = type(optimizer).__name__
    if not groups:
        yield 'its optimizer has no parameters'
        return
    settings, own_settings = ({*group} - _NOT_THE_OPTIMIZERS for group in (groups[0], own[0]))
    lost, new = sorted(settings - own_settings), sorted(own_settings - settings)
    # A version of torch may add settings, or take them away, but not both.
    if lost and new:
        yield f'its optimizer is another one than {kind} (it has {", ".join(lost)} and no {", ".join(new)})'
    decoupled = 'decoupled_weight_decay'  # by which torch's Adam and AdamW differ
    if decoupled in settings & own_settings and groups[0][decoupled] != own[0][decoupled]:
        yield f'its optimizer is another one than {kind} ({decoupled} is {groups[0][decoupled]})'
    sizes, own_sizes = ([len(group['params']) for group in each] for each in (groups, own))
    if sizes != own_sizes:
        yield f'its optimizer has {_counted(sizes)}, this one {_counted(own_sizes)}'


def _counted(sizes: list[int]) -> str:
    return f'{sum(sizes)} parameters in {len(sizes)} group{"s" * (len(sizes) > 1)}'
