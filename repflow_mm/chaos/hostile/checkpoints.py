"""Checkpoints with code, and with names and configs that lead elsewhere, for every tool that reads checkpoints."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch

from repflow_mm.apis import convert, publish, test, train
from repflow_mm.chaos.hostile.offer import Offer, Payload, maker


def checkpoint_offers(config: Path, checkpoint: Path) -> list[Offer]:
    """Each hostile checkpoint for each tool.

    Args:
        config (Path): Config of a small training.
        checkpoint (Path): A checkpoint of it, which the hostile ones are made of.
    """
    checkpoints = {
        'a pickle': write_pickle,
        'a checkpoint with code': lambda folder, mark: _changed(checkpoint, folder, dict(message_hub=Payload(mark))),
        'weights with code': lambda folder, mark: _changed(checkpoint, folder, dict(state_dict=Payload(mark))),
        'a config that is code': lambda folder, mark: _with_meta(
            checkpoint,
            folder,
            config=f'import os\nos.mkdir({str(mark)!r})\n',
            cfg=f'import os\nos.mkdir({str(mark)!r})\n',
        ),
        'an experiment in another folder': lambda folder, mark: _with_meta(
            checkpoint, folder, experiment_name='../../executed_20200101_000000', cfg='x = 1'
        ),
    }
    return [
        Offer('checkpoints', f'{name}, {tool}', main, maker(write, arguments))
        for name, write in checkpoints.items()
        for tool, main, arguments in _tools(config)
    ]


def _tools(config: Path) -> list[tuple]:
    start = [str(config), '--no-validate', '--work-dir', 'run']
    return [
        ('train --resume', train.main, lambda file: [*start, '--resume', str(file)]),
        (
            'train load_from',
            train.main,
            lambda file: [*start, '--cfg-options', f'load_from={file}', 'train_cfg.max_epochs=1'],
        ),
        ('test', test.main, lambda file: [str(config), str(file), '--work-dir', 'run']),
        ('publish_model', publish.main, lambda file: [str(file), '--out', 'published']),
        ('convert_released_weights', convert.main, lambda file: [str(file), 'converted.pth']),
    ]


def write_pickle(folder: Path, mark: Path) -> Path:
    """Write a pickle with code."""
    (folder / 'offer.pth').write_bytes(pickle.dumps(dict(state_dict=Payload(mark))))
    return folder / 'offer.pth'


def _changed(checkpoint: Path, folder: Path, parts: dict) -> Path:
    content = torch.load(checkpoint, map_location='cpu', weights_only=False)
    torch.save({**content, **parts}, folder / 'offer.pth')
    return folder / 'offer.pth'


def _with_meta(checkpoint: Path, folder: Path, **entries: str) -> Path:
    content = torch.load(checkpoint, map_location='cpu', weights_only=False)
    return _changed(checkpoint, folder, dict(meta={**content['meta'], **entries}))
