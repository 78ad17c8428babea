"""Checks of a runner before it starts."""

from __future__ import annotations

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn


def check_loaders(runner: Runner, modes: tuple[str, ...]) -> None:
    """Check that each loader gives this process a batch at least.

    Args:
        runner (Runner): The runner; its loaders are built.
        modes (tuple[str]): Which of ``'train'``, ``'val'`` and ``'test'`` are going to run.

    Raises:
        ValueError: If a loader gives none; the message says of how many samples.
    """
    for mode in modes:
        loop = getattr(runner, f'{mode}_loop')
        if loop is None or len(loop.dataloader):
            continue
        samples, batch_size = len(loop.dataloader.sampler), loop.dataloader.batch_size
        drops = samples and loop.dataloader.drop_last
        why = f' in batches of {batch_size} with drop_last=True' if drops else ''
        raise ValueError(f'{mode}_dataloader has nothing to do: {samples} samples a process{why}')


def check_head(model: nn.Module) -> None:
    """Check that the head takes as many channels as the backbone gives, where both say their number.

    Raises:
        ValueError: If the numbers disagree.
    """
    model = model.module if is_model_wrapper(model) else model
    backbone, head = getattr(model, 'backbone', None), getattr(model, 'cls_head', None)
    backbone = getattr(backbone, 'backbone', backbone)  # inside of a WithFlow
    given, taken = getattr(backbone, 'feat_dim', None), getattr(head, 'in_channels', None)
    is_last_alone = getattr(backbone, 'out_indices', ()) == (getattr(backbone, 'num_stages', 0) - 1,)
    if is_last_alone and not getattr(model, 'with_neck', False) and None not in (given, taken) and given != taken:
        raise ValueError(f'model.cls_head.in_channels is {taken}, but the backbone gives {given} channels')
