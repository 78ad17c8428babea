import pytest

from repflow_mm.datasets.list_makers.clip_files import Clip, ClipFiles, FrameFolders

CLASSES = {'airdrumming', 'jump'}


def make(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b'x')


def test_videos_of_any_suffix_in_any_folder(tmp_path):
    make(tmp_path, 'b.mp4', 'jump/a.avi', 'train/Air_Drumming/c.WEBM', 'notes.txt', '.cache/d.mp4', 'jump/._a.avi')
    make(tmp_path, 'jump/e.MXF', 'jump/f.mxf', 'phone/g.3GP')
    files = ClipFiles(tmp_path)
    assert files.paths == ['b.mp4', 'jump/a.avi', 'phone/g.3GP', 'train/Air_Drumming/c.WEBM']
    assert files.hint == '; no videos by their suffix are 2 × .mxf, 1 × .txt'
    assert files.find(Clip('x/a.mkv', 0, ('a',)), 'jump', CLASSES) == 'jump/a.avi'
    assert files.find(Clip('x/b.mkv', 0, ('none', 'b')), 'jump', CLASSES) == 'b.mp4'
    assert files.find(Clip('x/c.mkv', 0, ('c',)), 'air drumming', CLASSES) == 'train/Air_Drumming/c.WEBM'
    assert files.find(Clip('x/c.mkv', 0, ('c',)), 'jump', CLASSES) is None
    assert files.find(Clip('x/n.mkv', 0, ('notes',)), 'jump', CLASSES) is None


def test_the_own_path_and_the_own_class_come_first(tmp_path):
    make(tmp_path, 'jump/a.mp4', 'jump/a.avi', 'other/a.avi', 'a.mp4')
    files = ClipFiles(tmp_path)
    assert files.find(Clip('other/a.avi', 0, ('a',)), 'jump', CLASSES) == 'other/a.avi'
    assert files.find(Clip('none.avi', 0, ('a',)), 'jump', CLASSES) == 'jump/a.avi'
    assert files.find(Clip('none.avi', 0, ('a',)), 'air drumming', CLASSES) == 'a.mp4'


def test_empty_files_and_links_to_nowhere_are_not_there(tmp_path):
    (tmp_path / 'a.mp4').touch()
    (tmp_path / 'b.mp4').symlink_to(tmp_path / 'gone.mp4')
    files = ClipFiles(tmp_path)
    assert [files.find(Clip('', 0, (name,)), 'jump') for name in 'ab'] == [None, None]


def test_links_are_followed_once(tmp_path):
    make(tmp_path / 'store', 'jump/a.mp4')
    (tmp_path / 'videos').mkdir()
    (tmp_path / 'videos' / 'jump').symlink_to(tmp_path / 'store' / 'jump')
    (tmp_path / 'store' / 'jump' / 'loop').symlink_to(tmp_path / 'store' / 'jump')
    assert ClipFiles(tmp_path / 'videos').paths == ['jump/a.mp4']


def test_loose_names_must_be_unique(tmp_path):
    make(tmp_path, '(Rad)Schlag_die_Bank!_0.mp4', 'A b.mp4', 'a_b.mp4')
    clip, twice = Clip('', 0, ('_Rad_Schlag_die_Bank__0',)), Clip('', 0, ('ab',))
    assert ClipFiles(tmp_path).find(clip, 'jump') is None
    loose = ClipFiles(tmp_path, loosely=True)
    assert loose.find(clip, 'jump') == '(Rad)Schlag_die_Bank!_0.mp4'
    assert loose.find(twice, 'jump') is None


def test_numbers_stay_apart_in_loose_names(tmp_path):
    make(tmp_path, 'jump_10.mp4', 'run_1_1.mp4')
    files = ClipFiles(tmp_path, loosely=True)
    assert files.find(Clip('', 0, ('jump_1', 'jump_1_0')), 'jump') is None
    assert files.find(Clip('', 0, ('run_11',)), 'jump') is None
    assert files.find(Clip('', 0, ('Jump 10',)), 'jump') == 'jump_10.mp4'


def test_frame_folders(tmp_path):
    for name, numbers in dict(a=(1, 2, 3), b=(1, 3), c=(0, 1)).items():
        make(tmp_path, *(f'{name}/{number:05}.jpg' for number in numbers))
    make(tmp_path, 'a/flow_x_00001.jpg', 'd/img_00001.jpg', '00001.jpg')
    files = FrameFolders(tmp_path)
    assert files.paths == ['a', 'b', 'c'] and files.incomplete == ['b', 'c']
    assert files.entry(files.find(Clip('a', 0, ('a',)), 'jump')) == 'a 3'
    assert files.find(Clip('b', 0, ('b',)), 'jump') is None
    assert files.hint == '; d/img_00001.jpg is not named {:05}.jpg'
    assert FrameFolders(tmp_path, 'img_{:05}.jpg').paths == ['d']


def test_what_is_no_folder_or_template(tmp_path):
    with pytest.raises(FileNotFoundError, match='folder of videos .*nowhere does not exist'):
        ClipFiles(tmp_path / 'nowhere')
    with pytest.raises(ValueError, match=r"the template must be such as '{:05}.jpg' .*, got 'img_%05d.jpg'"):
        FrameFolders(tmp_path, 'img_%05d.jpg')
