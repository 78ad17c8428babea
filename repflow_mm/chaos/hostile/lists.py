"""Lists of paths that lead out of their folder, for every tool that reads lists."""

from __future__ import annotations

from pathlib import Path

from repflow_mm.apis import train
from repflow_mm.apis.data import check_videos, extract_flow
from repflow_mm.chaos.hostile.offer import Offer, Write, maker

LINES = ('../outside.mp4 0', '/etc/hostname 0', '../../../../outside.mp4 0', 'train/../../outside.mp4 0')


def list_offers(config: Path) -> list[Offer]:
    """Each line for each tool; ``config`` is that of a small training."""
    return [
        Offer('lists', f'{line}, {tool}', main, maker(_writer(line), arguments))
        for line in LINES
        for tool, main, arguments in _tools(config)
    ]


def _tools(config: Path) -> list[tuple]:
    def training(file: Path) -> list[str]:
        options = [
            f'train_dataloader.dataset.ann_file={file}',
            f'train_dataloader.dataset.data_prefix.video={file.parent}',
        ]
        return [str(config), '--no-validate', '--work-dir', 'run', '--cfg-options', *options]

    return [
        ('train', train.main, training),
        ('check_videos', check_videos.main, lambda file: [str(file), '--videos', str(file.parent), '--jobs', '1']),
        (
            'extract_flow',
            extract_flow.main,
            lambda file: [str(file), 'flow', '--videos', str(file.parent), '--jobs', '1'],
        ),
    ]


def _writer(line: str) -> Write:
    def write(folder: Path, mark: Path) -> Path:
        (folder / 'list.txt').write_text(f'{line}\n', encoding='utf-8')
        return folder / 'list.txt'

    return write
