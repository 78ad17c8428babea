import pytest

from repflow_mm.datasets.list_makers.clip_files import ClipFiles, FrameFolders
from repflow_mm.datasets.list_makers.jester import make_jester_lists

CLASSES = ['Swiping Left', 'Swiping Right', 'No gesture', 'Turning Hand Clockwise', 'Turning Hand Counterclockwise']


@pytest.fixture
def annotations(tmp_path):
    folder = tmp_path / 'annotations'
    folder.mkdir()
    contents = dict(labels=CLASSES, train=['34870;No gesture', '56557;Swiping Right'], validation=['9;Swiping Left'])
    for name, lines in (contents | dict(test=['7'])).items():
        (folder / f'jester-v1-{name}.csv').write_text('\n'.join(lines))
    return folder


def test_lists_of_frames(tmp_path, annotations):
    for name in ('34870', '9', '7'):
        (tmp_path / 'frames' / name).mkdir(parents=True)
        for number in range(1, 38):
            (tmp_path / 'frames' / name / f'{number:05}.jpg').write_text('x')
    report = make_jester_lists(annotations, tmp_path / 'out', FrameFolders(tmp_path / 'frames'))
    texts = {path.name: path.read_text() for path in (tmp_path / 'out').iterdir()}
    assert texts['jester_train_list_rawframes.txt'] == '34870 37 2\n'
    assert texts['jester_val_list_rawframes.txt'] == '9 37 0\n'
    assert texts['jester_test_paths.txt'] == '7 37\n'
    assert report['flip_labels'] == {'0': 1, '1': 0, '3': 4, '4': 3}
    assert report['lists']['train_list_rawframes']['missing'] == ['56557']


def test_lists_of_videos(tmp_path, annotations):
    (annotations / 'jester-v1-test.csv').unlink()
    (tmp_path / 'videos').mkdir()
    for name in ('34870', '9'):
        (tmp_path / 'videos' / f'{name}.webm').write_text('x')
    report = make_jester_lists(annotations, tmp_path / 'out', ClipFiles(tmp_path / 'videos'))
    assert (tmp_path / 'out' / 'jester_val_list_videos.txt').read_text() == '9.webm 0\n'
    assert report['lists']['train_list_videos']['missing'] == ['56557.mp4']
    assert set(report['lists']) == {'train_list_videos', 'val_list_videos'}


def test_missing_files(tmp_path, annotations):
    (annotations / 'jester-v1-labels.csv').unlink()
    with pytest.raises(FileNotFoundError, match='has no file jester-v1-labels.csv'):
        make_jester_lists(annotations, tmp_path / 'out', ClipFiles(tmp_path))
