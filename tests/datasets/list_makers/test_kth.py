import json

import pytest

from repflow_mm.datasets.list_makers.kth import CLASSES, PERSONS, make_kth_lists


@pytest.fixture
def annotations(tmp_path):
    """The official file's head, line ends and spacing; two sequences of each video, but one that is missing."""
    lines = ['', 'This database contains sequences of six classes', 'Training:   person11, 12, 13', '']
    for person in range(1, 26):
        lines += [f'person{person:02}_{action}_d1    \t\tframes\t1-95, 96-185 ' for action in CLASSES]
    lines[lines.index('person13_handclapping_d1    \t\tframes\t1-95, 96-185 ')] = 'person13_handclapping_d1\t*missing*'
    (tmp_path / '00sequences.txt').write_bytes('\r\n'.join(lines).encode())
    return tmp_path


def read(tmp_path, name):
    return (tmp_path / 'out' / f'kth_{name}.txt').read_text().splitlines()


def persons(lines):
    return {int(line.partition('person')[2][:2]) for line in lines}


def test_no_person_is_in_two_subsets():
    """The division of Schüldt et al. (2004) has eight, eight and nine persons."""
    assert [len(group) for group in PERSONS.values()] == [8, 8, 9]
    assert sorted(sum(PERSONS.values(), ())) == list(range(1, 26))


def test_lists(tmp_path, annotations):
    report = make_kth_lists(annotations, tmp_path / 'out')
    assert {name: counts['found'] for name, counts in report['lists'].items()} == dict(
        train_test=190, val_test=108, train_tune=94, val_tune=96
    )
    assert report['not_recorded'] == ['person13_handclapping_d1']
    assert read(tmp_path, 'val_test')[:3] == [
        'boxing/person02_boxing_d1_uncomp.avi 0 95 0',
        'boxing/person02_boxing_d1_uncomp.avi 95 90 0',
        'handclapping/person02_handclapping_d1_uncomp.avi 0 95 1',
    ]
    assert persons(read(tmp_path, 'val_test')) == {2, 3, 5, 6, 7, 8, 9, 10, 22}
    assert persons(read(tmp_path, 'train_tune')) == set(range(11, 19))
    assert persons(read(tmp_path, 'val_tune')) == {1, 4, 19, 20, 21, 23, 24, 25}
    assert sorted(read(tmp_path, 'train_test')) == sorted(read(tmp_path, 'train_tune') + read(tmp_path, 'val_tune'))
    assert tuple(read(tmp_path, 'classes')) == CLASSES


def test_videos_that_are_there(tmp_path, annotations):
    (tmp_path / 'videos').mkdir()
    for name in ('person02_boxing_d1_uncomp.avi', 'person11_running_d1.mp4', 'person19_boxing_d1.mp4', 'other.avi'):
        (tmp_path / 'videos' / name).write_bytes(b'x')
    report = make_kth_lists(annotations, tmp_path / 'out', tmp_path / 'videos')
    assert read(tmp_path, 'val_test') == [f'person02_boxing_d1_uncomp.avi {part} 0' for part in ('0 95', '95 90')]
    assert read(tmp_path, 'train_tune') == ['person11_running_d1.mp4 0 95 4', 'person11_running_d1.mp4 95 90 4']
    assert report['extra'] == ['other.avi'] and len(report['lists']['val_test']['missing']) == 106
    assert json.loads((tmp_path / 'out' / 'kth_report.json').read_text()) == report


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('person1_boxing_d1 frames 1-2', "line 155: 'person1_boxing_d1 frames 1-2': expected 'person01_boxing_d1"),
        ('person26_boxing_d1 frames 1-2', "'person26_boxing_d1 frames 1-2': expected 'person01_boxing_d1 frames"),
        ('person01_boxing_d2 1-2', "'person01_boxing_d2 1-2': expected 'person01_boxing_d1 frames"),
        ('person01_boxing_d2 frames 1-', "'person01_boxing_d2 frames 1-': expected 'person01_boxing_d1 frames"),
        ('person01_boxing_d2 frames 5-4', 'frames count from 1, and a sequence ends after it begins'),
        ('person01_boxing_d2 frames 0-4', 'frames count from 1, and a sequence ends after it begins'),
        ('person01_boxing_d1 frames 1-2', "line 155: 'person01_boxing_d1' is on line 5 already"),
    ],
)
def test_malformed_lines(tmp_path, annotations, line, message):
    with open(annotations / '00sequences.txt', 'a') as stream:
        stream.write(f'\n{line}')
    with pytest.raises(ValueError, match=message):
        make_kth_lists(annotations, tmp_path / 'out')


def test_missing_files(tmp_path, annotations):
    with pytest.raises(FileNotFoundError, match='file of sequences .*00sequences.txt does not exist'):
        make_kth_lists(tmp_path / 'nowhere', tmp_path / 'out')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match='has none of the clips of train_test; .* looked for as boxing/person'):
        make_kth_lists(annotations, tmp_path / 'out', tmp_path / 'empty')
