import json

import pytest

from repflow_mm.datasets.list_makers.kinetics import make_kinetics_lists
from repflow_mm.datasets.list_makers.tiny_kinetics import make_tiny_kinetics, tiny_kinetics_classes

HEAD = 'label,youtube_id,time_start,time_end,split'
CLASSES = sorted([*tiny_kinetics_classes(), *(f'class {i:03}, (not a real one)' for i in range(250))])


def clip_id(label):
    return f'-{label:010}'


def write_table(file, rows, head=HEAD):
    file.write_text('\n'.join([head, *rows]) + '\n')
    return file


@pytest.fixture
def table(tmp_path):
    """A table with a clip of each class, the label in quotes, and the clip's time as a float for one."""
    rows = [
        f'"{name}",{clip_id(label)},{label},{label + 10}{".0" if label == 3 else ""},train'
        for label, name in enumerate(CLASSES)
    ]
    return write_table(tmp_path / 'train.csv', rows)


def read(tmp_path, name):
    return (tmp_path / 'out' / f'kinetics400_{name}').read_text().splitlines()


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text('x')


def test_flat_folder_with_missing_and_extra_files(tmp_path, table):
    folder = tmp_path / 'videos'
    touch(folder, *(f'{clip_id(label)}_{label:06}_{label + 10:06}.mp4' for label in range(2, 400)))
    touch(folder, f'{clip_id(1)}.mkv', 'aaaaaaaaaaa_000000_000010.mp4')
    report = make_kinetics_lists(dict(train=table), tmp_path / 'out', dict(train=folder))
    lines = read(tmp_path, 'train_list_videos.txt')
    assert lines[:2] == [f'{clip_id(1)}.mkv 1', f'{clip_id(2)}_000002_000012.mp4 2'] and len(lines) == 399
    assert report['lists']['train_list_videos']['missing'] == [f'{clip_id(0)}_000000_000010.mp4']
    assert report['extra'] == ['aaaaaaaaaaa_000000_000010.mp4'] and report['no_ids'] == []
    assert read(tmp_path, 'classes.txt') == CLASSES


def test_folders_of_classes(tmp_path, table):
    names = [name.replace(' ', '_').replace('(', '').replace(')', '') for name in CLASSES]
    touch(tmp_path / 'videos', *(f'{name}/{clip_id(label)}.mp4' for label, name in enumerate(names)))
    touch(tmp_path / 'videos', f'{names[0]}/{clip_id(1)}_000001_000011.mp4')
    make_kinetics_lists(dict(train=table), tmp_path / 'out', dict(train=tmp_path / 'videos'))
    lines = read(tmp_path, 'train_list_videos.txt')
    assert lines == [f'{name}/{clip_id(label)}.mp4 {label}' for label, name in enumerate(names)]


def test_an_id_alone_says_nothing_if_the_table_has_it_twice(tmp_path, table):
    with open(table, 'a') as file:
        file.write(f'"{CLASSES[5]}",{clip_id(5)},100,110,train\n"{CLASSES[5]}",{clip_id(5)},100,110,train\n')
    touch(tmp_path / 'videos', f'{clip_id(5)}.mp4', f'{clip_id(6)}.mp4')
    report = make_kinetics_lists(dict(train=table), tmp_path / 'out', dict(train=tmp_path / 'videos'))
    assert read(tmp_path, 'train_list_videos.txt') == [f'{clip_id(6)}.mp4 6']
    assert report['lists']['train_list_videos']['listed'] == 401


def test_a_test_split_without_labels_becomes_paths(tmp_path, table):
    rows = ['--abcdefghi,7,17,test', '#NAME?,1,11,test']
    test = write_table(tmp_path / 'test.csv', rows, 'youtube_id,time_start,time_end,split')
    report = make_kinetics_lists(dict(train=table, test=test), tmp_path / 'out')
    assert read(tmp_path, 'test_paths.txt') == ['--abcdefghi_000007_000017.mp4']
    assert len(read(tmp_path, 'train_list_videos.txt')) == 400
    assert report['no_ids'] == [f'{test}, line 3']
    assert report['lists']['test_paths'] == dict(listed=1, found=1, missing=None, absent=[])
    assert json.loads('\n'.join(read(tmp_path, 'report.json'))) == report


def test_splits_may_share_a_folder(tmp_path, table):
    rows = [f'"{CLASSES[0]}",abcdefghijk,1,11,val', f'"{CLASSES[0]}",{clip_id(0)},0,10,val']
    val = write_table(tmp_path / 'val.csv', rows, '"label","youtube_id",time_start,time_end,split')
    touch(tmp_path / 'videos', f'{clip_id(0)}.mp4', 'abcdefghijk.mp4', 'other.mp4')
    report = make_kinetics_lists(
        dict(train=table, val=val), tmp_path / 'out', dict.fromkeys(('train', 'val'), tmp_path / 'videos')
    )
    assert read(tmp_path, 'train_list_videos.txt') == [f'{clip_id(0)}.mp4 0']
    assert read(tmp_path, 'val_list_videos.txt') == ['abcdefghijk.mp4 0', f'{clip_id(0)}.mp4 0']
    assert report['extra'] == ['other.mp4']
    assert report['in_several'] == [f'{clip_id(0)}_000000_000010']


def test_tiny_kinetics_takes_the_lists(tmp_path, table):
    make_kinetics_lists(dict(train=table), tmp_path / 'out')
    lists = dict(train=tmp_path / 'out' / 'kinetics400_train_list_videos.txt')
    with pytest.raises(ValueError, match='give a class file, such as kinetics400_classes.txt'):
        make_tiny_kinetics(lists, tmp_path / 'tiny')
    counts = make_tiny_kinetics(lists, tmp_path / 'tiny', class_file=tmp_path / 'out' / 'kinetics400_classes.txt')
    assert (counts['train'].found, counts['train'].left_out) == (150, 250)


@pytest.mark.parametrize(
    ('row', 'message'),
    [
        (f'abseiling,{clip_id(1)},1,11,train', "line 402: -0000000001_000001_000011 is 'abseiling', and"),
        ('"abseiling,abcdefghijk,1,11,train', 'line 402: .*, and quotes around a label with commas'),
        ('abseiling,abcdefghijk,inf,11,train', 'line 402: .*: expected an id and two times in seconds'),
        ('abseiling,abcdefghijk,x,11,train', "line 402: 'abseiling,abcdefghijk,x,11,train': expected an id and two"),
        (',abcdefghijk,1,11,train', 'line 402: a table has labels in all lines or in none'),
        ('new,abcdefghijk,1,11,train', 'the tables have 401 classes, Kinetics-400 has 400: '),
    ],
)
def test_malformed_lines(tmp_path, table, row, message):
    with open(table, 'a') as file:
        file.write(row + '\n')
    with pytest.raises(ValueError, match=message):
        make_kinetics_lists(dict(train=table), tmp_path / 'out')


def test_wrong_arguments(tmp_path, table):
    with pytest.raises(ValueError, match=r'version must be from \(400, 600, 700\), got 500'):
        make_kinetics_lists(dict(train=table), tmp_path, version=500)
    with pytest.raises(ValueError, match=r"tables must be of splits from \('train', 'val', 'test'\), got \(\)"):
        make_kinetics_lists({}, tmp_path)
    with pytest.raises(ValueError, match=r"videos are of splits \('val',\), tables of \('train',\) alone"):
        make_kinetics_lists(dict(train=table), tmp_path, dict(train=None, val=tmp_path))
    with pytest.raises(ValueError, match="expected 'label,youtube_id,time_start,time_end,split' above, got 'a b'"):
        make_kinetics_lists(dict(val=write_table(tmp_path / 'a.csv', ['c'], 'a b')), tmp_path)
    with pytest.raises(ValueError, match='a.csv names no clip'):
        make_kinetics_lists(dict(val=write_table(tmp_path / 'a.csv', ['a,b,1,2,val'])), tmp_path)
    with pytest.raises(FileNotFoundError, match='table nowhere does not exist'):
        make_kinetics_lists(dict(val='nowhere'), tmp_path)
