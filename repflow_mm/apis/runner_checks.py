"""Checks of a runner before it starts."""

from __future__ import annotations

from mmengine.runner import Runner


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
        loader = loop.dataloader
        batches = loader if loader.batch_sampler is None else loader.batch_sampler
        batches = getattr(batches, 'batch_sampler', batches)  # inside of a SampleOrder
        samples = len(batches.sampler)
        drops = samples and getattr(batches, 'drop_last', False)
        why = f' in batches of {batches.batch_size} with drop_last=True' if drops else ''
        raise ValueError(f'{mode}_dataloader has nothing to do: {samples} samples a process{why}')
