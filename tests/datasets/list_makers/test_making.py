import json
import os

import pytest

from repflow_mm.datasets.list_makers.clip_files import Clip, ClipFiles, FrameFolders
from repflow_mm.datasets.list_makers.making import make_lists, summary_lines

CLASSES = ['go left', 'go right']
CLIPS = {
    'train': [Clip('go left/a.avi', 0, ('a',)), Clip('go right/b.avi', 1, ('b',)), Clip('go right/c.avi', 1, ('c',))],
    'test_paths': [Clip('d.avi', None, ('d',))],
}


def read(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_lists_of_what_is_there(tmp_path):
    (tmp_path / 'videos').mkdir()
    for name in ('a.mp4', 'c.mp4', 'd.mp4', 'e.mp4', 'b.mxf', 'README'):
        (tmp_path / 'videos' / name).write_text('x')
    report = make_lists('set', tmp_path / 'out', CLASSES, CLIPS, ClipFiles(tmp_path / 'videos'), dict(k=1), flip=True)
    files = read(tmp_path / 'out')
    assert files['set_train.txt'] == 'a.mp4 0\nc.mp4 1\n' and files['set_test_paths.txt'] == 'd.mp4\n'
    assert files['set_classes.txt'] == 'go left\ngo right\n'
    assert json.loads(files['set_flip_labels.json']) == {'0': 1, '1': 0}
    assert json.loads(files['set_report.json']) == report
    assert report['lists']['train'] == dict(listed=3, found=2, missing=['go right/b.avi'], absent=[])
    assert report['extra'] == ['e.mp4'] and report['k'] == 1
    assert report['other_suffixes'] == {'.mxf': 1, '': 1}
    assert summary_lines(report, 'out') == [
        'train: 2 clips of 3; missing: 1, the first go right/b.avi',
        'test_paths: 1 clips of 1; missing: 0',
        'in no list: 1, the first e.mp4',
        'no videos by their suffix: 1 × .mxf, 1 × no suffix',
        'labels that a flip exchanges: {0: 1, 1: 0}',
        'out: lists, set_classes.txt, set_flip_labels.json, set_report.json',
    ]


def test_parts_of_a_video_are_clips(tmp_path):
    parts = [Clip('a.avi', 0, ('a',), part) for part in ((0, 5), (5, 9))] + [Clip('b.avi', 1, ('b',), (0, 5))]
    (tmp_path / 'a.mp4').write_text('x')
    report = make_lists('set', tmp_path / 'out', CLASSES, {'train': parts}, ClipFiles(tmp_path))
    assert read(tmp_path / 'out')['set_train.txt'] == 'a.mp4 0 5 0\na.mp4 5 9 0\n'
    assert (report['lists']['train']['found'], report['extra']) == (2, [])
    with pytest.raises(ValueError, match='a.mp4 would be both a.avi and other.avi; rename one of the files'):
        make_lists(
            'set', tmp_path, CLASSES, {'x': [parts[0], Clip('other.avi', 0, ('a',), (0, 5))]}, ClipFiles(tmp_path)
        )


def test_a_repetition_leaves_the_files_alone(tmp_path):
    make_lists('set', tmp_path, CLASSES, CLIPS)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    report = make_lists('set', tmp_path, CLASSES, CLIPS)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    assert report['lists']['train']['missing'] is None and report['extra'] is None
    assert read(tmp_path)['set_train.txt'] == 'go left/a.avi 0\ngo right/b.avi 1\ngo right/c.avi 1\n'


def test_lists_of_frames_say_what_is_incomplete(tmp_path):
    for path in ('a/00001.jpg', 'a/00002.jpg', 'b/00002.jpg', 'z/00001.jpg'):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text('x')
    report = make_lists('set', tmp_path / 'out', CLASSES, {'train': CLIPS['train']}, FrameFolders(tmp_path))
    assert read(tmp_path / 'out')['set_train.txt'] == 'a 2 0\n'
    assert (report['incomplete'], report['extra']) == (['b'], ['z'])
    assert report['lists']['train']['absent'] == ['go right']
    lines = summary_lines(report, 'out')
    assert lines[0].endswith('missing: 2, the first go right/b.avi; classes without a clip: 1, the first go right')
    assert 'folders that lack frames: 1, the first b' in lines


def test_nothing_is_written_if_a_list_would_be_empty(tmp_path):
    (tmp_path / 'b').mkdir()
    (tmp_path / 'b' / 'img_00001.jpg').touch()
    with pytest.raises(
        FileNotFoundError, match='has none of the clips of train; .* as go left/a.avi; b/img_00001.jpg is'
    ):
        make_lists('set', tmp_path / 'out', CLASSES, CLIPS, FrameFolders(tmp_path))
    assert not (tmp_path / 'out').exists()


def test_paths_that_cannot_stand_in_a_list(tmp_path):
    (tmp_path / 'a\nb.mp4').write_text('x')
    lists = {'train': [Clip('', 0, ('a\nb',))]}
    with pytest.raises(ValueError, match=r"'a\\nb.mp4' cannot stand in a list"):
        make_lists('set', tmp_path / 'out', CLASSES, lists, ClipFiles(tmp_path))
    name = os.fsdecode(b'caf\xe9')
    (tmp_path / f'{name}.mp4').write_text('x')
    with pytest.raises(ValueError, match=r"'caf\\udce9.mp4' cannot stand in a list"):
        make_lists('set', tmp_path / 'out', CLASSES, {'train': [Clip('', 0, (name,))]}, ClipFiles(tmp_path))
    assert not (tmp_path / 'out' / 'set_train.txt').exists()


def test_a_file_is_one_clip(tmp_path):
    (tmp_path / 'a.mp4').write_text('x')
    lists = {'train': [Clip('a.avi', 0, ('a',)), Clip('b.avi', 1, ('b', 'a'))]}
    with pytest.raises(ValueError, match='a.mp4 would be both a.avi and b.avi; rename one of the files'):
        make_lists('set', tmp_path / 'out', CLASSES, lists, ClipFiles(tmp_path))
