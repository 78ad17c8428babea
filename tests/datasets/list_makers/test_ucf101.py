import pytest

from repflow_mm.datasets.list_makers.ucf101 import make_ucf101_lists


@pytest.fixture
def annotations(tmp_path):
    """Files of one split, with line ends as the official ones have them."""
    folder = tmp_path / 'splits'
    folder.mkdir()
    (folder / 'classInd.txt').write_text('1 ApplyEyeMakeup\r\n2 HandstandPushups\r\n')
    train = ['ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1', 'HandstandPushups/v_HandStandPushups_g08_c01.avi 2']
    (folder / 'trainlist01.txt').write_text('\r\n'.join(train))
    (folder / 'testlist01.txt').write_text('HandstandPushups/v_HandStandPushups_g01_c01.avi\r\n')
    return folder


def read(tmp_path, name):
    return (tmp_path / 'out' / f'ucf101_{name}').read_text().splitlines()


def test_lists(tmp_path, annotations):
    report = make_ucf101_lists(annotations, tmp_path / 'out', splits=[1])
    assert read(tmp_path, 'train_split_1_videos.txt') == [
        'ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 0',
        'HandstandPushups/v_HandStandPushups_g08_c01.avi 1',
    ]
    assert read(tmp_path, 'val_split_1_videos.txt') == ['HandstandPushups/v_HandStandPushups_g01_c01.avi 1']
    assert read(tmp_path, 'classes.txt') == ['ApplyEyeMakeup', 'HandstandPushups']
    assert report['lists']['val_split_1_videos']['absent'] == ['ApplyEyeMakeup']


def test_videos_of_another_case_and_suffix(tmp_path, annotations):
    (tmp_path / 'videos').mkdir()
    for name in ('v_HandstandPushups_g08_c01', 'v_HandstandPushups_g01_c01'):
        (tmp_path / 'videos' / f'{name}.mp4').write_text('x')
    make_ucf101_lists(annotations, tmp_path / 'out', tmp_path / 'videos', splits=[1])
    assert read(tmp_path, 'train_split_1_videos.txt') == ['v_HandstandPushups_g08_c01.mp4 1']


@pytest.mark.parametrize(
    ('file', 'line', 'message'),
    [
        ('classInd.txt', '4 Archery', "classInd.txt, line 4: '4 Archery': expected '3 name'"),
        ('trainlist01.txt', 'Archery/v_Archery_g01_c01.avi 3', 'trainlist01.txt, line 3: .*: expected .class/v_class_'),
        ('trainlist01.txt', 'ApplyEyeMakeup/a.avi 2', 'line 3: .*: ApplyEyeMakeup has the number 1 in classInd.txt'),
        ('testlist01.txt', 'ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi', 'is in .*trainlist01.txt, line 1 already'),
    ],
)
def test_malformed_lines(tmp_path, annotations, file, line, message):
    with open(annotations / file, 'a') as stream:
        stream.write(f'\n{line}\n')
    with pytest.raises(ValueError, match=message):
        make_ucf101_lists(annotations, tmp_path / 'out', splits=[1])


def test_missing_files(tmp_path, annotations):
    with pytest.raises(FileNotFoundError, match='split file .*trainlist02.txt does not exist'):
        make_ucf101_lists(annotations, tmp_path / 'out')
    with pytest.raises(ValueError, match=r'splits must be from \(1, 2, 3\), got \(0,\)'):
        make_ucf101_lists(annotations, tmp_path / 'out', splits=[0])
