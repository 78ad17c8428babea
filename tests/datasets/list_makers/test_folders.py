import shutil

import pytest

from repflow_mm.datasets.list_makers.folders import folder_lines, make_folder_lists

SHARES = dict(train=0.6, val=0.2, test=0.2)


@pytest.fixture
def videos(tmp_path):
    """Two classes of ten and five videos, of five persons each, all with a content of their own."""
    folder = tmp_path / 'gestures'
    for name, takes in (('wave left', 2), ('wave right', 1)):
        (folder / name / 'raw').mkdir(parents=True)
        for person in range(5):
            for take in range(takes):
                (folder / name / 'raw' / f'person{person}_{take}.mp4').write_text(f'{name} {person} {take}')
    return folder


def read(tmp_path, name='gestures'):
    return {split: (tmp_path / 'out' / f'{name}_{split}_list_videos.txt').read_text().splitlines() for split in SHARES}


def test_a_split_of_every_class(tmp_path, videos):
    report = make_folder_lists(videos, tmp_path / 'out', shares=SHARES)
    lists = read(tmp_path)
    assert {split: len(lines) for split, lines in lists.items()} == dict(train=9, val=3, test=3)
    assert len({line for lines in lists.values() for line in lines}) == 15
    assert 'wave left/raw/person0_0.mp4 0' in sum(lists.values(), [])
    assert report['per_class'] == {
        'wave left': dict(train=6, val=2, test=2),
        'wave right': dict(train=3, val=1, test=1),
    }
    assert report['flip_labels'] == {'0': 1, '1': 0} and report['duplicates'] == report['extra'] == []
    assert folder_lines(report) == ['2 classes of 5 (wave right) to 10 (wave left) videos']


def test_the_seed_says_which_videos(tmp_path, videos):
    lists = []
    for seed in (0, 0, 1):
        make_folder_lists(videos, tmp_path / 'out', name='own', shares=SHARES, seed=seed)
        lists.append(read(tmp_path, 'own'))
    assert lists[0] == lists[1] != lists[2]


@pytest.mark.parametrize('pattern', [r'(person\d)_', r'person\d', r'(?:x(y))?person(\d)'])
def test_no_group_is_on_both_sides(tmp_path, videos, pattern):
    report = make_folder_lists(videos, tmp_path / 'out', shares=SHARES, group=pattern)
    lists = read(tmp_path)
    persons = [{line.split('person')[1][0] for line in lines} for lines in lists.values()]
    assert [len(part) for part in persons] == [3, 1, 1] and len(set.union(*persons)) == 5
    assert report['groups'] == 5 and '5 groups, each on one side' in folder_lines(report)


def test_given_splits(tmp_path, videos):
    (tmp_path / 'train.txt').write_text('wave left/raw/person0_0.mp4\nperson1_1 0\nwave right/raw/person0_0 1\n')
    (tmp_path / 'val.txt').write_text('person2_1.mp4\nnobody.mp4\n')
    given = dict(train=tmp_path / 'train.txt', val=tmp_path / 'val.txt')
    report = make_folder_lists(videos, tmp_path / 'out', given=given)
    texts = {path.name: path.read_text().splitlines() for path in (tmp_path / 'out').iterdir()}
    assert texts['gestures_train_list_videos.txt'] == [
        'wave left/raw/person0_0.mp4 0',
        'wave left/raw/person1_1.mp4 0',
        'wave right/raw/person0_0.mp4 1',
    ]
    assert texts['gestures_val_list_videos.txt'] == ['wave left/raw/person2_1.mp4 0']
    assert report['unknown'] == [f'{tmp_path}/val.txt, line 2: nobody.mp4']
    assert len(report['extra']) == 11
    assert folder_lines(report)[-1] == f'lines that are no video: 1, the first {tmp_path}/val.txt, line 2: nobody.mp4'
    (tmp_path / 'val.txt').write_text('person1_1\n')
    with pytest.raises(ValueError, match="val.txt, line 1: .*person1_1.mp4' is in .*train.txt, line 2 already"):
        make_folder_lists(videos, tmp_path / 'out', given=given)
    (tmp_path / 'val.txt').write_text('person2_0\n')
    with pytest.raises(ValueError, match="'person2_0' is 2 videos, 'wave left/raw/person2_0.mp4' and .*; give paths"):
        make_folder_lists(videos, tmp_path / 'out', given=given)


def test_folders_of_the_splits(tmp_path, videos):
    """As many data sets come: their splits are not taken for the classes."""
    (tmp_path / 'own').mkdir()
    for name in ('Train', 'validation'):
        shutil.copytree(videos, tmp_path / 'own' / name)
    (tmp_path / 'own' / 'validation' / 'wave right' / 'raw' / 'person1_0.mp4').unlink()
    (tmp_path / 'own' / 'Train' / 'nothing').mkdir()
    report = make_folder_lists(tmp_path / 'own', tmp_path / 'out')
    assert report['per_class'] == {'wave left': dict(train=10, val=10), 'wave right': dict(train=5, val=4)}
    assert report['no_class'] == ['nothing']
    lines = (tmp_path / 'out' / 'own_val_list_videos.txt').read_text().splitlines()
    assert len(lines) == 14 and lines[0] == 'validation/wave left/raw/person0_0.mp4 0'
    assert 'the folders of the splits say what belongs to which; shares do not count' in folder_lines(report)
    assert len(report['duplicates_in_splits']) == 14
    with pytest.raises(ValueError, match='own has a folder for each split, .*; take --group away'):
        make_folder_lists(tmp_path / 'own', tmp_path / 'out', group='person')


@pytest.mark.parametrize('names', [('train', 'bus'), ('val', 'test'), ('train', 'training')])
def test_folders_that_are_classes(tmp_path, videos, names):
    """A train beside a bus is a class, and so is one without folders of classes in it."""
    for name, old in zip(names, ('wave left', 'wave right')):
        (videos / old).rename(videos / name)
    assert list(make_folder_lists(videos, tmp_path / 'out')['per_class']) == sorted(names)


def test_the_same_content_is_told(tmp_path, videos):
    (videos / 'wave right' / 'copy.mp4').write_text('wave left 0 0')
    (videos / 'wave right' / 'same size').mkdir()
    (videos / 'wave right' / 'same size' / 'a.mp4').write_text('wave left 0 9')
    (tmp_path / 'train.txt').write_text('wave left/raw/person0_0.mp4\na.mp4\n')
    (tmp_path / 'val.txt').write_text('copy.mp4\n')
    given = dict(train=tmp_path / 'train.txt', val=tmp_path / 'val.txt')
    report = make_folder_lists(videos, tmp_path / 'out', given=given)
    same = [['wave left/raw/person0_0.mp4', 'wave right/copy.mp4']]
    assert report['duplicates'] == report['duplicates_in_splits'] == report['duplicates_in_classes'] == same
    text = '1 times, the first wave left/raw/person0_0.mp4 and wave right/copy.mp4'
    assert folder_lines(report)[1:4] == [
        f'the same content: {text}',
        f'the same content in several splits: {text}',
        f'the same content in several classes: {text}',
    ]


def test_videos_in_no_class_and_empty_ones_are_left_out(tmp_path, videos):
    (videos / 'loose.mp4').write_text('x')
    (videos / 'wave left' / 'empty.mp4').touch()
    (videos / 'no videos').mkdir()
    (videos / 'no videos' / 'a.mxf').write_text('x')
    (videos / '.hidden').mkdir()
    report = make_folder_lists(videos, tmp_path / 'out')
    assert report['extra'] == ['loose.mp4', 'wave left/empty.mp4']
    assert list(report['per_class']) == ['wave left', 'wave right']
    assert report['no_class'] == ['no videos'] and report['other_suffixes'] == {'.mxf': 1}
    assert folder_lines(report)[1:] == ['folders without a video: 1, the first no videos']


def test_what_cannot_be_split(tmp_path, videos):
    with pytest.raises(ValueError, match=r"two or more folders with videos, one for each class, got \['raw'\]"):
        make_folder_lists(videos / 'wave left', tmp_path / 'out')
    with pytest.raises(ValueError, match=r"the pattern of groups '\(' is no regular expression"):
        make_folder_lists(videos, tmp_path / 'out', group='(')
    with pytest.raises(
        ValueError, match="the pattern of groups '_0' is not in 5 paths, the first is 'wave left/raw/pe"
    ):
        make_folder_lists(videos, tmp_path / 'out', group='_0')
