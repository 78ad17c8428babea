"""Lists of paths that lead out of their folder, for every tool that reads lists."""

from __future__ import annotations

from pathlib import Path

from repflow_mm.apis import infer, show_flow, test, train
from repflow_mm.apis.data import check_frames, check_videos, extract_flow
from repflow_mm.chaos.hostile.offer import Offer, Write, maker

LINES = ('../outside.mp4 0', '/etc/hostname 0', '../../../../outside.mp4 0', 'train/../../outside.mp4 0')


def list_offers(config: Path, checkpoint: Path) -> list[Offer]:
    """Each line for each tool; ``config`` and ``checkpoint`` are those of a small training."""
    return [
        Offer('lists', f'{line}, {tool}', main, maker(_writer(line, of_frames=tool == 'check_frames'), arguments))
        for line in LINES
        for tool, main, arguments in _tools(config, checkpoint)
    ]


def _tools(config: Path, checkpoint: Path) -> list[tuple]:
    def options(mode: str, file: Path) -> list[str]:
        dataset = f'{mode}_dataloader.dataset'
        places = [f'{dataset}.ann_file={file}', f'{dataset}.data_prefix.video={file.parent}']
        return [str(config), '--work-dir', 'run', '--cfg-options', *places]

    def videos(file: Path) -> list[str]:
        return ['--videos', str(file.parent), '--jobs', '1']

    frames = ['--filename-tmpl', '{}', '--jobs', '1']
    return [
        ('train', train.main, lambda file: ['--no-validate', *options('train', file)]),
        ('test', test.main, lambda file: [options('test', file)[0], str(checkpoint), *options('test', file)[1:]]),
        ('infer', infer.main, lambda file: [str(file), str(config), str(checkpoint)]),
        ('show_flow', show_flow.main, lambda file: [str(file), '--videos', str(file.parent), '--out', 'shown']),
        ('check_videos', check_videos.main, lambda file: [str(file), *videos(file)]),
        ('check_frames', check_frames.main, lambda file: [str(file), '--frames', str(file.parent), *frames]),
        ('extract_flow', extract_flow.main, lambda file: [str(file), 'flow', *videos(file)]),
    ]


def _writer(line: str, of_frames: bool) -> Write:
    path, label = line.split()
    text = f'{path} 8 {label}\n' if of_frames else f'{line}\n'

    def write(folder: Path, mark: Path) -> Path:
        (folder / 'list.txt').write_text(text, encoding='utf-8')
        return folder / 'list.txt'

    return write
