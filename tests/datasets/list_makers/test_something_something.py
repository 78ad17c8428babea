import json

import pytest

from repflow_mm.datasets.list_makers.clip_files import ClipFiles, FrameFolders
from repflow_mm.datasets.list_makers.something_something import make_something_something_lists

TEMPLATES = [
    'Pulling [something] from left to right',
    'Pulling [something] from right to left',
    'Putting [something similar to other things that are already on the table]',
]
CLASSES = [template.replace('[', '').replace(']', '') for template in TEMPLATES]


def items(*clips):
    """Entries as version 2 has them: id and index of the template."""
    return [dict(id=clip, label='x', template=TEMPLATES[label], placeholders=['x']) for clip, label in clips]


@pytest.fixture(params=['{}.json', 'something-something-v2-{}.json'])
def version2(tmp_path, request):
    folder = tmp_path / 'annotations'
    folder.mkdir()
    contents = dict(labels={CLASSES[i]: str(i) for i in (2, 0, 1)}, train=items(('78687', 0), ('2', 2)))
    contents |= dict(validation=items(('3', 1)), test=[dict(id='1420')])
    for name, content in contents.items():
        (folder / request.param.format(name)).write_text(json.dumps(content))
    return folder


@pytest.fixture
def version1(tmp_path):
    folder = tmp_path / 'annotations'
    folder.mkdir()
    contents = dict(labels=CLASSES, train=[f'1;{CLASSES[1]}', f'2;{CLASSES[2]}'], validation=[f'3;{CLASSES[0]}'])
    for name, lines in (contents | dict(test=['4'])).items():
        (folder / f'something-something-v1-{name}.csv').write_text('\n'.join(lines))
    return folder


def read(tmp_path, name):
    return (tmp_path / 'out' / name).read_text().splitlines()


def make_frames(folder, **counts):
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(1, count + 1):
            (folder / name / f'{number:05}.jpg').write_text('x')


def test_version_2(tmp_path, version2):
    report = make_something_something_lists(version2, tmp_path / 'out')
    assert read(tmp_path, 'sthv2_train_list_videos.txt') == ['78687.webm 0', '2.webm 2']
    assert read(tmp_path, 'sthv2_val_list_videos.txt') == ['3.webm 1']
    assert read(tmp_path, 'sthv2_test_paths.txt') == ['1420.webm']
    assert read(tmp_path, 'sthv2_classes.txt') == CLASSES
    assert json.loads('\n'.join(read(tmp_path, 'sthv2_flip_labels.json'))) == report['flip_labels'] == {'0': 1, '1': 0}


def test_version_2_as_other_videos(tmp_path, version2):
    (tmp_path / 'videos').mkdir()
    for name in ('78687.mp4', '3.webm', '1420.webm'):
        (tmp_path / 'videos' / name).write_text('x')
    report = make_something_something_lists(version2, tmp_path / 'out', ClipFiles(tmp_path / 'videos'))
    assert read(tmp_path, 'sthv2_train_list_videos.txt') == ['78687.mp4 0']
    assert report['lists']['train_list_videos']['missing'] == ['2.webm'] and report['extra'] == []


def test_version_1(tmp_path, version1):
    frames = tmp_path / 'frames'
    make_frames(frames, **{'1': 3, '3': 2, '4': 1, '5': 1})
    report = make_something_something_lists(version1, tmp_path / 'out', FrameFolders(frames), version=1)
    assert read(tmp_path, 'sthv1_train_list_rawframes.txt') == ['1 3 1']
    assert read(tmp_path, 'sthv1_val_list_rawframes.txt') == ['3 2 0']
    assert read(tmp_path, 'sthv1_test_paths.txt') == ['4 1']
    assert report['lists']['train_list_rawframes']['missing'] == ['2'] and report['extra'] == ['5']


def test_a_test_file_need_not_be_there(tmp_path, version2):
    next(version2.glob('*test.json')).unlink()
    assert set(make_something_something_lists(version2, tmp_path / 'out')['lists']) == {
        'train_list_videos',
        'val_list_videos',
    }
    next(version2.glob('*validation.json')).unlink()
    with pytest.raises(
        FileNotFoundError, match='has no file something-something-v2-validation.json or validation.json'
    ):
        make_something_something_lists(version2, tmp_path / 'out')


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('train', '[{]', 'train.json is no JSON: '),
        ('train', '{}', r'train.json: expected a list with something in it, got \{\}'),
        ('train', '[3]', 'train.json, entry 1: expected a dict, got 3'),
        ('train', '[{"id": "1", "template": "Jumping"}]', 'train.json, entry 1: .*: expected an id, and a template'),
        ('train', '[{"id": null, "template": "Jumping"}]', 'train.json, entry 1: .*: expected an id, and a template'),
        ('test', '[{"id": "1"}, {"id": "1"}]', "test.json, entry 2: '1' is in .*test.json, entry 1 already"),
        ('test', '[{"id": "3"}]', "test.json, entry 1: '3' is in .*validation.json, entry 1 already"),
        ('labels', '{"a": "0", "b": "2"}', r"labels.json: labels must be 0 to 1, got \['0', '2'\]"),
        ('labels', '{"a": "0", "b": null}', r"labels.json: labels must be 0 to 1, got \['0', None\]"),
    ],
)
def test_malformed_json(tmp_path, version2, name, content, message):
    next(version2.glob(f'*{name}.json')).write_text(content)
    with pytest.raises(ValueError, match=message):
        make_something_something_lists(version2, tmp_path / 'out')


@pytest.mark.parametrize(
    ('name', 'line', 'message'),
    [
        ('labels', CLASSES[0], 'labels.csv, line 4: .* is on line 1 already'),
        (
            'train',
            '7;Jumping',
            "train.csv, line 3: '7;Jumping': expected 'id;class name' with a name of the class file",
        ),
        ('train', f'1;{CLASSES[0]}', "train.csv, line 3: '1' is in .*train.csv, line 1 already"),
    ],
)
def test_malformed_csv(tmp_path, version1, name, line, message):
    with open(version1 / f'something-something-v1-{name}.csv', 'a') as file:
        file.write(f'\n{line}\n')
    (tmp_path / 'frames').mkdir()
    with pytest.raises(ValueError, match=message):
        make_something_something_lists(version1, tmp_path / 'out', FrameFolders(tmp_path / 'frames'), version=1)


def test_wrong_arguments(tmp_path, version1):
    with pytest.raises(ValueError, match='version 1 has folders of frames, whose numbers'):
        make_something_something_lists(version1, tmp_path / 'out', version=1)
    with pytest.raises(ValueError, match=r'version must be from \(1, 2\), got 3'):
        make_something_something_lists(version1, tmp_path / 'out', version=3)
    with pytest.raises(FileNotFoundError, match='folder of annotations .*nowhere does not exist'):
        make_something_something_lists(tmp_path / 'nowhere', tmp_path / 'out')
