import pytest

from repflow_mm.datasets.list_makers.annotation_files import (
    annotation_file,
    clip_lists,
    needed_file,
    read_classes,
    read_semicolons,
)
from repflow_mm.datasets.list_makers.clip_files import Clip, FrameFolders


def test_the_first_name_that_is_there(tmp_path):
    (tmp_path / 'b.json').write_text('{}')
    assert annotation_file(tmp_path, ['a.json', 'b.json']) == needed_file(tmp_path, ['b.json']) == tmp_path / 'b.json'
    assert annotation_file(tmp_path, ['a.json']) is None
    with pytest.raises(FileNotFoundError, match=f'folder of annotations {tmp_path} has no file a.json or c.json'):
        needed_file(tmp_path, ['a.json', 'c.json'])


def test_lines_of_ids_and_classes(tmp_path):
    (tmp_path / 'classes.csv').write_text('Swiping Left\n\nStop; now\n')
    (tmp_path / 'train.csv').write_text('7; Stop; now\n"8";Swiping Left\n')
    classes = read_classes(tmp_path / 'classes.csv')
    assert classes == ['Swiping Left', 'Stop; now']
    labels = {name: label for label, name in enumerate(classes)}
    assert read_semicolons(tmp_path / 'train.csv', labels, {}) == {'7': 1, '8': 0}
    assert read_semicolons(tmp_path / 'train.csv', labels, {}, labelled=False) == {'7': None, '8': None}
    with pytest.raises(ValueError, match="train.csv, line 2: '8' is in val.csv, line 5 already"):
        read_semicolons(tmp_path / 'train.csv', labels, {'8': 'val.csv, line 5'})


def test_names_of_lists(tmp_path):
    subsets = dict(train={'1': 0}, test={'2': None})
    videos = dict(train_list_videos=[Clip('1.webm', 0, ('1',))], test_paths=[Clip('2.webm', None, ('2',))])
    assert clip_lists(subsets, None, '.webm') == videos
    frames = dict(train_list_rawframes=[Clip('1', 0, ('1',))], test_paths=[Clip('2', None, ('2',))])
    assert clip_lists(subsets, FrameFolders(tmp_path), '.webm') == frames
