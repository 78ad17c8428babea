import json

import pytest

from repflow_mm.datasets.list_makers.tiny_kinetics import make_tiny_kinetics, read_class_names, tiny_kinetics_classes

OTHERS = ['abseiling', 'zumba']
ALL_NAMES = sorted([*tiny_kinetics_classes(), *OTHERS])


def clip(name, number=0):
    """A clip's path: the folder as MMAction2's scripts rename it, the file as Kinetics' downloaders name it."""
    code = f'{ALL_NAMES.index(name):05d}_{number:05d}'
    return f'{name.replace(" ", "_")}/{code}_000001_000011.mp4'


def write_list(file, paths_and_labels):
    file.write_text(''.join(f'{path} {label}\n' for path, label in paths_and_labels))
    return file


@pytest.fixture
def train_list(tmp_path):
    """Every class of Tiny-Kinetics and two others, two clips each, with Kinetics' alphabetical labels."""
    return write_list(
        tmp_path / 'train_in.txt', [(clip(name, i), ALL_NAMES.index(name)) for i in (0, 1) for name in ALL_NAMES]
    )


@pytest.fixture
def label_map(tmp_path):
    file = tmp_path / 'label_map_k400.txt'
    file.write_text('\n'.join(ALL_NAMES))
    return file


def test_classes_are_the_authors():
    classes = tiny_kinetics_classes()
    assert len(set(classes)) == 150
    assert classes[0] == 'springboard diving' and classes[149] == 'kitesurfing'


@pytest.mark.parametrize('with_class_file', [True, False], ids=['class_file', 'folders'])
def test_lists_have_the_authors_labels(tmp_path, train_list, label_map, with_class_file):
    counts = make_tiny_kinetics(
        {'train': train_list}, tmp_path / 'out', class_file=label_map if with_class_file else None
    )['train']
    lines = (tmp_path / 'out' / 'tiny_kinetics_train_list_videos.txt').read_text().splitlines()
    assert len(lines) == 300 == counts.found
    assert f'{clip("springboard diving")} 0' in lines and f'{clip("kitesurfing", 1)} 149' in lines
    assert (counts.listed, counts.left_out, counts.missing, counts.authors) == (304, 4, None, 86365)
    assert counts.per_class['kitesurfing'] == 2


def test_clips_without_a_file_are_reported(tmp_path, train_list):
    videos = tmp_path / 'videos'
    for name in tiny_kinetics_classes():
        (videos / clip(name)).parent.mkdir(parents=True)
        (videos / clip(name)).touch()
    counts = make_tiny_kinetics({'train': train_list}, tmp_path / 'out', {'train': videos})['train']
    assert (counts.found, counts.missing, counts.left_out) == (150, 150, 4)
    missing = (tmp_path / 'out' / 'tiny_kinetics_train_missing.txt').read_text().splitlines()
    assert clip('kitesurfing', 1) in missing and len(missing) == 150
    report = json.loads((tmp_path / 'out' / 'tiny_kinetics_report.json').read_text())
    assert report['train']['missing'] == 150
    assert counts.summary('train').startswith("train: 150 clips found of the authors' 86,365 (0.2%); missing: 150")


@pytest.mark.parametrize(
    'rename',
    [str, str.title, lambda name: name.replace(' ', '_').replace('(', '-').replace(')', '-'), lambda n: f'"{n}"'],
    ids=['as_is', 'case', 'punctuation', 'quotes'],
)
def test_folders_are_named_in_many_ways(tmp_path, rename):
    lines = [(f'videos/{rename(name)}/clip.mp4', 0) for name in ALL_NAMES]
    counts = make_tiny_kinetics({'val': write_list(tmp_path / 'in.txt', lines)}, tmp_path / 'out')['val']
    assert counts.found == 150


def test_flat_lists_need_a_class_file(tmp_path, label_map):
    flat = write_list(tmp_path / 'flat.txt', [(f'{i}.mp4', i) for i in range(len(ALL_NAMES))])
    assert make_tiny_kinetics({'val': flat}, tmp_path / 'out', class_file=label_map)['val'].found == 150
    with pytest.raises(ValueError, match=r"flat\.txt has no clip of 150 of .*'springboard diving'.*give a class file"):
        make_tiny_kinetics({'val': flat}, tmp_path / 'out')


@pytest.mark.parametrize('suffix', ['txt', 'csv', 'json_list', 'json_dict'])
def test_class_files(tmp_path, suffix):
    file = tmp_path / f'classes.{suffix.split("_")[0]}'
    if suffix == 'txt':
        file.write_text('\n'.join(ALL_NAMES) + '\n')
    elif suffix == 'csv':
        file.write_text('id,name\n' + ''.join(f'{i},{name}\n' for i, name in enumerate(ALL_NAMES)))
    else:
        as_dict = {f'"{name}"': i for i, name in enumerate(ALL_NAMES)}
        file.write_text(json.dumps(ALL_NAMES if suffix == 'json_list' else as_dict))
    names = read_class_names(file)
    assert [names[i].strip('"') for i in range(len(ALL_NAMES))] == ALL_NAMES


@pytest.mark.parametrize(
    ('name', 'text', 'message'),
    [
        ('c.txt', 'abseiling\nzumba\n', "c.txt lacks 150 of Tiny-Kinetics' 150 classes: 'springboard diving', "),
        ('c.json', '{', 'c.json is no JSON'),
        ('c.json', '3', 'expected a list of names or a dict'),
        ('c.csv', 'id,name\nx,yoga\n', "expected a label and a name, got 'x' and 'yoga'"),
        ('c.csv', '0,yoga\n0,squat\n', "label 0 is 'yoga' and 'squat'"),
        ('c.txt', '\n', 'is empty'),
    ],
)
def test_bad_class_files(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        read_class_names(tmp_path / name)


def test_labels_without_a_name(tmp_path, train_list, label_map):
    train_list.write_text(train_list.read_text() + 'somewhere/new.mp4 400\n')
    with pytest.raises(ValueError, match=r'train_in\.txt, line 305: label 400 has no name in .*label_map'):
        make_tiny_kinetics({'train': train_list}, tmp_path / 'out', class_file=label_map)


def test_class_file_of_another_list(tmp_path, train_list, label_map):
    label_map.write_text('\n'.join(reversed(ALL_NAMES)))
    with pytest.raises(ValueError, match='but the video lies in the folder .* belong to different lists'):
        make_tiny_kinetics({'train': train_list}, tmp_path / 'out', class_file=label_map)


def test_missing_classes_are_named(tmp_path, train_list):
    lines = [line for line in train_list.read_text().splitlines() if not line.startswith(('yoga', 'squat'))]
    train_list.write_text('\n'.join(lines))
    with pytest.raises(ValueError, match="has no clip of 2 of Tiny-Kinetics' 150 classes: 'yoga', 'squat'"):
        make_tiny_kinetics({'train': train_list}, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_wrong_folder_of_videos(tmp_path, train_list):
    with pytest.raises(FileNotFoundError, match='folder of videos .*nowhere does not exist'):
        make_tiny_kinetics({'train': train_list}, tmp_path / 'out', {'train': tmp_path / 'nowhere'})
    with pytest.raises(ValueError, match='has no file of 150 .*300 of 300 clips .*first was looked for as .*mp4'):
        make_tiny_kinetics({'train': train_list}, tmp_path / 'out', {'train': tmp_path})


def test_duplicates(tmp_path, train_list):
    val_list = write_list(tmp_path / 'val_in.txt', [(clip(name, 2), 0) for name in ALL_NAMES])
    assert make_tiny_kinetics({'train': train_list, 'val': val_list}, tmp_path / 'out').keys() == {'train', 'val'}
    val_list.write_text(val_list.read_text() + f'{clip("yoga", 1)} 0\n')
    with pytest.raises(ValueError, match=r'val_in.txt, line 153: duplicate clip .* is in .*train_in.txt, line \d+ alr'):
        make_tiny_kinetics({'train': train_list, 'val': val_list}, tmp_path / 'out')
    train_list.write_text(train_list.read_text() + f'{clip(ALL_NAMES[0])} 0\n')
    with pytest.raises(ValueError, match=r'train_in\.txt, line 305: .* is on line 1 already'):
        make_tiny_kinetics({'train': train_list}, tmp_path / 'out')


def test_unknown_split(tmp_path, train_list):
    with pytest.raises(ValueError, match=r"splits from \('train', 'val'\), got \('test',\)"):
        make_tiny_kinetics({'test': train_list}, tmp_path / 'out')
