"""Files from strangers, given to every tool that reads such: nothing in them runs, nothing is written elsewhere."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from repflow_mm.apis import convert, fuse, publish, test, train
from repflow_mm.apis.data import check_videos, extract_flow
from repflow_mm.chaos.kills import preload, prepare
from repflow_mm.chaos.parts import run_in_child, tries_of
from repflow_mm.gpu_check.context import Context, Emit

MOST_SECONDS = 120
# What a hostile file would make if it could.
MARK = 'executed'


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.mark,)


class Offer(NamedTuple):
    """A hostile file, and the tool that it is given to.

    ``make(folder, mark)`` writes the file into a folder and returns the tool's arguments; if what is in it runs, it
    makes ``mark``.
    """

    kind: str
    name: str
    tool: Callable[[list[str]], object]
    make: Callable[[Path, Path], list[str]]


def run(emit: Emit, context: Context) -> None:
    """Make every offer, as far as the time goes."""
    torch.set_num_threads(1)
    folder = context.folder / 'hostile_files'
    config = prepare(folder)
    preload(config, folder / 'own')
    all_offers = offers(config, folder / 'own' / 'epoch_2.pth')
    for number, offer in enumerate(all_offers[: tries_of(context, len(all_offers))]):
        if context.seconds_left() < 10:
            return
        why = accept(offer, folder / f'offer{number}')
        emit(kind=offer.kind, count=1, ok=not why, why=why and f'{offer.name}: {why}')


def accept(offer: Offer, folder: Path) -> str:
    """Give a file to its tool; returns what it did that it must not, '' if nothing."""
    inside, mark = folder / 'inside', folder / MARK
    inside.mkdir(parents=True)

    def call() -> None:
        os.chdir(inside)
        offer.tool(arguments)

    arguments = offer.make(inside, mark)
    before = _listing(folder, inside)
    try:
        status = run_in_child(call, folder.with_suffix('.log'), MOST_SECONDS)
    except TimeoutError as error:
        return str(error)
    if mark.exists():
        return 'what is in it was executed'
    if new := _listing(folder, inside) - before:
        return f'wrote {sorted(new)} outside of its folder'
    return f'ended by signal {-status}' if status < 0 else ''


def _listing(folder: Path, inside: Path) -> set[str]:
    """All that lies in a folder, but for what is in that other one."""
    return {str(path) for path in folder.rglob('*') if inside not in path.parents}


def offers(config: Path, checkpoint: Path) -> list[Offer]:
    """Hostile checkpoints, dumps and lists, each for every tool that reads such."""
    checkpoints = {
        'a pickle': _write_pickle,
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
    found = []
    for name, write in checkpoints.items():
        for tool, main, arguments in _tools_of_checkpoints(config):
            made = _maker(write, arguments)
            found.append(Offer('checkpoints', f'{name}, {tool}', main, made))
    for name in ('a.pkl', 'a.pickle', 'a.npz', 'a.json'):
        found.append(Offer('dumps of scores', f'{name}, fuse', fuse.main, _maker(_dump_writer(name), _fuse_arguments)))
    for line in ('../outside.mp4 0', '/etc/hostname 0', '../../../../outside.mp4 0', 'train/../../outside.mp4 0'):
        for tool, main, arguments in _tools_of_lists(config):
            found.append(Offer('lists', f'{line}, {tool}', main, _maker(_list_writer(line), arguments)))
    return found


def _maker(write: Callable, arguments: Callable) -> Callable[[Path, Path], list[str]]:
    return lambda folder, mark: arguments(write(folder, mark))


def _tools_of_checkpoints(config: Path) -> list[tuple]:
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


def _tools_of_lists(config: Path) -> list[tuple]:
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


def _write_pickle(folder: Path, mark: Path) -> Path:
    (folder / 'offer.pth').write_bytes(pickle.dumps(dict(state_dict=Payload(mark))))
    return folder / 'offer.pth'


def _changed(checkpoint: Path, folder: Path, parts: dict) -> Path:
    content = torch.load(checkpoint, map_location='cpu', weights_only=False)
    torch.save({**content, **parts}, folder / 'offer.pth')
    return folder / 'offer.pth'


def _with_meta(checkpoint: Path, folder: Path, **entries: str) -> Path:
    content = torch.load(checkpoint, map_location='cpu', weights_only=False)
    return _changed(checkpoint, folder, dict(meta={**content['meta'], **entries}))


def _dump_writer(name: str) -> Callable[[Path, Path], Path]:
    def write(folder: Path, mark: Path) -> Path:
        (folder / name).write_bytes(pickle.dumps([dict(pred_score=Payload(mark), gt_label=0, filename='a')]))
        return folder / name

    return write


def _fuse_arguments(file: Path) -> list[str]:
    copy = file.with_name(f'b{file.suffix}')
    shutil.copy(file, copy)
    return [f'one={file}', f'other={copy}', '--out', 'fused.json']


def _list_writer(line: str) -> Callable[[Path, Path], Path]:
    def write(folder: Path, mark: Path) -> Path:
        (folder / 'list.txt').write_text(f'{line}\n', encoding='utf-8')
        return folder / 'list.txt'

    return write
