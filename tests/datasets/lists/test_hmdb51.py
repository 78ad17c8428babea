import json

import pytest

from repflow_mm.datasets.lists.hmdb51 import make_hmdb51_lists

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
    assert list(report) == [f'{subset}_{split}' for split in (1, 2, 3) for subset in ('train', 'val')]
    train, val = read(tmp_path, 'hmdb51_train_split_2_videos.txt'), read(tmp_path, 'hmdb51_val_split_2_videos.txt')
    assert train[7] == 'class_07/#2 class_07 [x].avi 7' and val[50] == 'class_50/#0 class_50 [x].avi 50'
    assert len(train) == len(val) == 51
    assert read(tmp_path, 'hmdb51_classes.txt') == CLASSES
    assert report['val_2'] == dict(found=51, missing=None, unused=51, official=1530)
    assert json.loads((tmp_path / 'out' / 'hmdb51_report.json').read_text()) == report


def test_videos_that_are_not_there(tmp_path, annotations):
    folder = tmp_path / 'videos' / 'class_03'
    folder.mkdir(parents=True)
    (folder / '#0 class_03 [x].mp4').touch()
    with pytest.raises(FileNotFoundError, match='has none of the videos; the first was looked for as class_00/#0'):
        make_hmdb51_lists(annotations, tmp_path / 'out', tmp_path / 'videos', splits=[1])
    (folder / '#1 class_03 [x].mp4').touch()
    report = make_hmdb51_lists(annotations, tmp_path / 'out', tmp_path / 'videos', splits=[1], suffix='.mp4')
    assert read(tmp_path, 'hmdb51_train_split_1_videos.txt') == ['class_03/#0 class_03 [x].mp4 3']
    assert len(report['train_1']['missing']) == 50


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
