import json
from collections import Counter

import pytest

from repflow_mm.datasets.list_makers.egogestar import CLASSES, egogestar_clips, make_egogestar_lists


@pytest.fixture
def clone(tmp_path):
    """A clone with every clip of the lists but two, one that no list has, one of no class and an empty file."""
    folder = tmp_path / 'clone' / 'testvideo'
    folder.mkdir(parents=True)
    names = {clip.path for clip in egogestar_clips()} - {'testvideo/testvideo_up_22.mp4'}
    for path in (*names, 'testvideo/testvideo_star_17.mp4', 'testvideo/testvideo_unclassified_3.mp4'):
        (tmp_path / 'clone' / path).write_bytes(b'x')
    (folder / 'testvideo_tick_1.mp4').write_bytes(b'')
    return folder.parent


def read(tmp_path, name):
    return (tmp_path / 'out' / f'egogestar_{name}.txt').read_text().splitlines()


def test_no_scene_is_in_two_subsets():
    clips = egogestar_clips()
    assert len({clip.path for clip in clips}) == len(clips) == 217
    assert Counter(clip.subset for clip in clips) == dict(train=129, tune=29, test=59)
    scenes = {subset: {clip.scene for clip in clips if clip.subset == subset} for subset in ('test', 'tune', 'train')}
    assert len(scenes['test']) == 6 and len(scenes['tune']) == 3 and scenes['train'] == {''}
    assert not scenes['test'] & scenes['tune']
    for subset in scenes:
        assert {clip.name for clip in clips if clip.subset == subset} == set(CLASSES)


def test_lists(tmp_path, clone):
    report = make_egogestar_lists(clone, tmp_path / 'out')
    found = {name: counts['found'] for name, counts in report['lists'].items()}
    assert found == dict(train_test=156, val_test=59, train_tune=127, val_tune=29)
    missing = {path for counts in report['lists'].values() for path in counts['missing']}
    assert missing == {'testvideo/testvideo_tick_1.mp4', 'testvideo/testvideo_up_22.mp4'}
    assert {'testvideo/testvideo_star_17.mp4', 'testvideo/testvideo_unclassified_3.mp4'} <= set(report['extra'])
    assert json.loads((tmp_path / 'out' / 'egogestar_report.json').read_text()) == report
    assert 'testvideo/testvideo_carret_10.mp4 0' in read(tmp_path, 'val_test')
    assert 'testvideo/testvideo_up_1.mp4 9' in read(tmp_path, 'train_tune')
    for fold, size in (('test', 215), ('tune', 156)):
        assert len(set(read(tmp_path, f'train_{fold}') + read(tmp_path, f'val_{fold}'))) == size
    test = set(read(tmp_path, 'val_test'))
    assert not test & set(read(tmp_path, 'train_tune') + read(tmp_path, 'val_tune') + read(tmp_path, 'train_test'))
    assert tuple(read(tmp_path, 'classes')) == CLASSES


def test_clips_without_the_clone(tmp_path):
    """In folders of classes, of another suffix, without what all names begin with."""
    for clip in egogestar_clips():
        (tmp_path / 'clips' / clip.name).mkdir(parents=True, exist_ok=True)
        (tmp_path / 'clips' / clip.name / f'{clip.name}_{clip.number}.mkv').write_bytes(b'x')
    report = make_egogestar_lists(tmp_path, tmp_path / 'out')
    assert report['extra'] == [] and report['lists']['train_test']['missing'] == []
    assert 'clips/carret/carret_10.mkv 0' in read(tmp_path, 'val_test')


def test_what_is_no_clone(tmp_path):
    with pytest.raises(FileNotFoundError, match='folder of videos .*none does not exist'):
        make_egogestar_lists(tmp_path / 'none', tmp_path / 'out')
    message = 'has none of the clips of train_test; .* looked for as testvideo/testv'
    with pytest.raises(FileNotFoundError, match=message):
        make_egogestar_lists(tmp_path, tmp_path / 'out')
