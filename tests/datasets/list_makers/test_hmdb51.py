import json

import pytest

from repflow_mm.datasets.list_makers.hmdb51 import make_hmdb51_lists

CLASSES = [f'class_{i:02d}' for i in range(51)]


@pytest.fixture
def annotations(tmp_path):
    """Three videos a class; split k trains on one, tests on another and leaves one out. Lines end as the official."""
    folder = tmp_path / 'splits'
    folder.mkdir()
    for name in CLASSES:
        for split in (1, 2, 3):
            lines = [f'#{i} {name} [x].avi {(i + split) % 3} \n' for i in range(3)]
            (folder / f'{name}_test_split{split}.txt').write_text(''.join(lines))
    return folder


def read(tmp_path, name):
    return (tmp_path / 'out' / name).read_text().splitlines()


def test_lists(tmp_path, annotations):
    report = make_hmdb51_lists(annotations, tmp_path / 'out')
    names = [f'{subset}_split_{split}_videos' for split in (1, 2, 3) for subset in ('train', 'val')]
    assert list(report['lists']) == names
    train, val = read(tmp_path, 'hmdb51_train_split_2_videos.txt'), read(tmp_path, 'hmdb51_val_split_2_videos.txt')
    assert train[7] == 'class_07/#2 class_07 [x].avi 7' and val[50] == 'class_50/#0 class_50 [x].avi 50'
    assert len(train) == len(val) == 51
    assert read(tmp_path, 'hmdb51_classes.txt') == CLASSES
    assert report['lists']['val_split_2_videos'] == dict(listed=51, found=51, missing=None, absent=[])
    assert report['unused'] == {'1': 51, '2': 51, '3': 51}
    assert json.loads((tmp_path / 'out' / 'hmdb51_report.json').read_text()) == report


def test_videos_that_are_not_there(tmp_path, annotations):
    folder = tmp_path / 'videos' / 'class_03'
    folder.mkdir(parents=True)
    (folder / '#0 class_03 [x].mp4').write_text('x')
    with pytest.raises(FileNotFoundError, match='none of the clips of val_split_1_videos; .* for as class_00/#1'):
        make_hmdb51_lists(annotations, tmp_path / 'out', tmp_path / 'videos', splits=[1])
    (folder / '#1 class_03 [x].mp4').write_text('x')
    report = make_hmdb51_lists(annotations, tmp_path / 'out', tmp_path / 'videos', splits=[1])
    assert read(tmp_path, 'hmdb51_train_split_1_videos.txt') == ['class_03/#0 class_03 [x].mp4 3']
    assert len(report['lists']['train_split_1_videos']['missing']) == 50


def test_suffix_of_videos_that_are_not_looked_for(tmp_path, annotations):
    make_hmdb51_lists(annotations, tmp_path / 'out', splits=[1], suffix='.mp4')
    assert read(tmp_path, 'hmdb51_train_split_1_videos.txt')[3] == 'class_03/#0 class_03 [x].mp4 3'


def write_split(folder, name, *videos):
    folder.mkdir(exist_ok=True)
    (folder / f'{name}_test_split1.txt').write_text(
        ''.join(f'{video} {i % 2 + 1} \n' for i, video in enumerate(videos))
    )


def test_names_of_copies_and_classes_of_ones_own(tmp_path):
    flips = ('(Rad)Schlag_die_Bank!_flip_0.avi', 'a&b_flip_1.avi')
    write_split(tmp_path / 'splits', 'flic_flac', *flips)
    write_split(tmp_path / 'splits', 'kick', 'kick_0.avi', 'kick_1.avi', 'kick.avi')
    (tmp_path / 'videos').mkdir()
    for name in ('(Rad)Schlag_die_Bank!_flip_0_0.mp4', 'a_b_flip_1.avi', 'kick_0.mp4', 'kick_1.mp4', 'spin_0.mp4'):
        (tmp_path / 'videos' / name).write_text('x')
    options = dict(splits=[1], classes=['kick', 'flic_flac'])
    report = make_hmdb51_lists(tmp_path / 'splits', tmp_path / 'out', tmp_path / 'videos', **options)
    train, val = read(tmp_path, 'hmdb51_train_split_1_videos.txt'), read(tmp_path, 'hmdb51_val_split_1_videos.txt')
    assert train == ['kick_0.mp4 0', '(Rad)Schlag_die_Bank!_flip_0_0.mp4 1']
    assert val == ['kick_1.mp4 0', 'a_b_flip_1.avi 1']
    assert read(tmp_path, 'hmdb51_classes.txt') == ['kick', 'flic_flac']
    assert report['lists']['train_split_1_videos']['missing'] == ['kick/kick.avi']
    assert report['extra'] == ['spin_0.mp4']


def test_unknown_classes(tmp_path, annotations):
    with pytest.raises(ValueError, match="has no split files of the class 'jump'; it has class_00, "):
        make_hmdb51_lists(annotations, tmp_path / 'out', classes=['class_00', 'jump'])
    with pytest.raises(ValueError, match=r"classes must be some names, each once, got \('class_00', 'class_00'\)"):
        make_hmdb51_lists(annotations, tmp_path / 'out', classes=['class_00', 'class_00'])


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('a.avi 3', "class_05_test_split1.txt, line 4: 'a.avi 3': expected 'video' and one of 0, 1, 2"),
        ('a.avi', 'line 4'),
        ('#0 class_05 [x].avi 1', 'line 4: .* is on line 1 already'),
    ],
)
def test_malformed_lines(tmp_path, annotations, line, message):
    with open(annotations / 'class_05_test_split1.txt', 'a') as file:
        file.write(line + '\n')
    with pytest.raises(ValueError, match=message):
        make_hmdb51_lists(annotations, tmp_path / 'out')


def test_missing_files(tmp_path, annotations):
    (annotations / 'class_05_test_split3.txt').unlink()
    with pytest.raises(FileNotFoundError, match='split file .*class_05_test_split3.txt does not exist'):
        make_hmdb51_lists(annotations, tmp_path / 'out')
    for split in (1, 2):
        (annotations / f'class_05_test_split{split}.txt').unlink()
    with pytest.raises(ValueError, match='of 51 classes, found 50: class_00, '):
        make_hmdb51_lists(annotations, tmp_path / 'out')
    with pytest.raises(FileNotFoundError, match='folder of annotations .*nowhere does not exist'):
        make_hmdb51_lists(tmp_path / 'nowhere', tmp_path / 'out')
    with pytest.raises(ValueError, match=r'splits must be from \(1, 2, 3\), got \(4,\)'):
        make_hmdb51_lists(annotations, tmp_path / 'out', splits=[4])
