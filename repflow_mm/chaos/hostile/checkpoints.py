"""Checkpoints with code, and with names and configs that lead elsewhere, for every tool that reads checkpoints."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch

from repflow_mm.apis import convert, demo_picture, export, infer, publish, show_flow, test, train
from repflow_mm.chaos.hostile.offer import OF_OTHERS, Offer, Payload, maker


def checkpoint_offers(config: Path, checkpoint: Path, video: Path) -> list[Offer]:
    """Each hostile checkpoint for each tool.

    Args:
        config (Path): Config of a small training.
        checkpoint (Path): A checkpoint of it, which the hostile ones are made of.
        video (Path): A video, for tools that look at one.
    """
    checkpoints = {
        'a pickle': write_pickle,
        'a checkpoint with code': lambda folder, mark: _changed(checkpoint, folder, dict(message_hub=Payload(mark))),
        'weights with code': lambda folder, mark: _changed(checkpoint, folder, dict(state_dict=Payload(mark))),
        'a config that is code': lambda folder, mark: _with_meta(
            checkpoint, folder, **dict.fromkeys(('config', 'cfg'), f'import os\nos.mkdir({str(mark)!r})\n')
        ),
        'an experiment in another folder': lambda folder, mark: _with_meta(
            checkpoint, folder, experiment_name='../../executed_20200101_000000', cfg='x = 1'
        ),
        'files of others to remove': lambda folder, mark: _with_history(
            checkpoint,
            folder,
            best_ckpt=str(mark.with_name(OF_OTHERS)),
            best_score=-1.0,
            outdated_ckpts=[str(mark.with_name(OF_OTHERS)), f'../../{OF_OTHERS}'],
        ),
    }
    return [
        Offer('checkpoints', f'{name}, {tool}', main, maker(write, arguments))
        for name, write in checkpoints.items()
        for tool, main, arguments in _tools(config, video)
    ]


def _tools(config: Path, video: Path) -> list[tuple]:
    start = [str(config), '--work-dir', 'run']
    epochs = ['--cfg-options', 'train_cfg.max_epochs=3']
    shown = ['--config', str(config), '--out', 'shown', '--formats', 'png', '--method', 'none', '--checkpoint']
    return [
        ('train --resume', train.main, lambda file: [*start, '--resume', str(file), *epochs]),
        ('train load_from', train.main, lambda file: [*start, '--no-validate', *epochs, f'load_from={file}']),
        ('test', test.main, lambda file: [str(config), str(file), '--work-dir', 'run']),
        ('infer', infer.main, lambda file: [str(video), str(config), str(file)]),
        ('export', export.main, lambda file: [str(config), str(file), '--format', 'torchscript', '--out', 'exported']),
        ('show_flow', show_flow.main, lambda file: [str(video), *shown, str(file)]),
        ('demo_picture', demo_picture.main, lambda file: [str(config), str(file), '--out', 'flow.png']),
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


def _with_history(checkpoint: Path, folder: Path, **entries: object) -> Path:
    hub = torch.load(checkpoint, map_location='cpu', weights_only=False)['message_hub']
    return _changed(checkpoint, folder, dict(message_hub={**hub, 'runtime_info': {**hub['runtime_info'], **entries}}))
