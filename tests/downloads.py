"""Data sets as their official archives lay them out, with few clips, all of which the annotations name."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from repflow_mm.datasets.list_makers.egogestar import egogestar_clips
from repflow_mm.datasets.list_makers.tiny_kinetics import tiny_kinetics_classes
from repflow_mm.datasets.list_makers.weizmann import ACTORS, CLASSES, TWICE

TEMPLATES = ('Pulling [something] from left to right', 'Pulling [something] from right to left')
SENTENCES = [template.replace('[', '').replace(']', '') for template in TEMPLATES]


def write_downloads(data: Path) -> None:
    """Write every data set that docs/datasets.md speaks of below a folder, in the places that the page names."""
    _kinetics400(data / 'kinetics400')
    _something_something(data)
    _jester(data / 'jester')
    _diving48(data / 'diving48')
    _ucf101(data / 'ucf101')
    _hmdb51(data / 'hmdb51')
    _kth(data / 'kth')
    _weizmann(data / 'weizmann')
    _write(data / 'egogestar', {clip.path: clip.path for clip in egogestar_clips()})
    names = [f'{action}/person{k}_{action}.mp4' for action in ('nod', 'wave') for k in range(10)]
    _write(data / 'mine/videos', {name: name for name in names})


def _write(folder: Path, files: dict[str, object]) -> None:
    """Write files: text, lines with the line ends of the official archives, or what becomes JSON."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith('.json'):
            content = json.dumps(content)
        (folder / name).write_text(content if isinstance(content, str) else '\r\n'.join(content), newline='')


def _frames(folder: Path, names: Iterable[str]) -> None:
    _write(folder, {f'{name}/{number:05}.jpg': 'x' for name in names for number in (1, 2, 3)})


def _kinetics400(folder: Path) -> None:
    """A flat folder a split; names that begin with a hyphen, and classes with brackets and commas."""
    classes = [*tiny_kinetics_classes(), *(f'"another, ({i})"' for i in range(250))]
    for split, mark in (('train', '-'), ('val', '_')):
        ids = [f'{mark}{label:010}' for label in range(400)]
        rows = [f'{name},{clip},0,10,{split}' for name, clip in zip(classes, ids)]
        _write(folder, {f'{split}.csv': ['label,youtube_id,time_start,time_end,split', *rows]})
        _write(folder / f'videos_{split}', {f'{clip}_000000_000010.mp4': 'x' for clip in ids})


def _something_something(data: Path) -> None:
    labels = {name: str(label) for label, name in enumerate(SENTENCES)}
    train, val = [dict(id='7', template=TEMPLATES[0])], [dict(id='8', template=TEMPLATES[1])]
    files = {'labels': labels, 'train': train, 'validation': val, 'test': [dict(id='9')]}
    _write(data / 'sthv2/annotations', {f'{name}.json': content for name, content in files.items()})
    _write(data / 'sthv2/videos', {f'{clip}.webm': 'x' for clip in '789'})
    files = {'labels': SENTENCES, 'train': [f'7;{SENTENCES[0]}'], 'validation': [f'8;{SENTENCES[1]}'], 'test': ['9']}
    _write(data / 'sthv1/annotations', {f'something-something-v1-{name}.csv': lines for name, lines in files.items()})
    _frames(data / 'sthv1/rawframes', '789')


def _jester(folder: Path) -> None:
    files = {'labels': ['Stop Sign', 'Swiping Up'], 'train': ['7;Stop Sign'], 'validation': ['8;Swiping Up']}
    _write(folder / 'annotations', {f'jester-v1-{name}.csv': lines for name, lines in files.items()})
    _frames(folder / 'rawframes', '78')


def _diving48(folder: Path) -> None:
    items = {name: [dict(vid_name=f'-{name}_00001', label=0, start_frame=0, end_frame=9)] for name in ('train', 'test')}
    files = {f'Diving48_V2_{name}.json': content for name, content in items.items()}
    _write(folder / 'annotations', files | {'Diving48_vocab.json': [['Back', '15som', '05Twis', 'FREE']]})
    _write(folder / 'videos', {f'-{name}_00001.mp4': 'x' for name in items})


def _ucf101(folder: Path) -> None:
    files = {'classInd.txt': ['1 Archery']}
    for split in (1, 2, 3):
        files[f'trainlist{split:02}.txt'] = [f'Archery/v_Archery_g0{split % 3 + 1}_c01.avi 1']
        files[f'testlist{split:02}.txt'] = [f'Archery/v_Archery_g0{split}_c01.avi']
    _write(folder / 'annotations', files)
    _write(folder / 'videos', {f'Archery/v_Archery_g0{split}_c01.avi': 'x' for split in (1, 2, 3)})


def _hmdb51(folder: Path) -> None:
    """51 classes, two of them those that the page names for lists of some classes."""
    classes = ['brush_hair', 'cartwheel', *(f'class_{i:02}' for i in range(49))]
    lines = {name: [f'(a)_{name}!_0.avi 1 ', f'b_{name}_1.avi 2 '] for name in classes}
    splits = {f'{name}_test_split{split}.txt': lines[name] for name in classes for split in (1, 2, 3)}
    _write(folder / 'annotations', splits)
    videos = [f'{name}/{line[:-3]}' for name in classes for line in lines[name]]
    _write(folder / 'videos', dict.fromkeys(videos, 'x'))


def _kth(folder: Path) -> None:
    names = [f'person{person:02}_boxing_d1' for person in range(1, 26)]
    sequences = ['The database contains sequences', *(f'{name}\t\tframes\t1-95, 96-185' for name in names)]
    _write(folder / 'annotations', {'00sequences.txt': sequences})
    _write(folder / 'videos', {f'{name}_uncomp.avi': 'x' for name in names})


def _weizmann(folder: Path) -> None:
    for actor in ACTORS:
        actions = [f'{name}{k}' for name in CLASSES for k in (('1', '2') if (actor, name) in TWICE else ('',))]
        _write(folder / 'videos', {f'{actor}_{action}.avi': 'x' for action in actions})
