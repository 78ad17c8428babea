import logging

import pytest

from repflow_mm.datasets.lists import list_files
from repflow_mm.datasets.lists.list_files import (
    FrameEntry,
    ListEntry,
    check_inside,
    check_unique,
    missing_files,
    read_frame_list,
    read_list,
)


def test_reads_paths_with_spaces(tmp_path):
    file = tmp_path / 'list.txt'
    file.write_bytes(b'\xef\xbb\xbfriding a bike/a b.mp4 3\r\n\r\nyoga/c.mp4\t12\r\n')
    assert read_list(file) == [ListEntry(1, 'riding a bike/a b.mp4', 3), ListEntry(3, 'yoga/c.mp4', 12)]
    assert read_list(file)[0].line == 'riding a bike/a b.mp4 3'


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('a.mp4 0\nb.mp4\n', r"list.txt, line 2: 'b.mp4': expected 'path label'"),
        ('a.mp4 x\n', r"list.txt, line 1: 'a.mp4 x': the label must be an integer, got 'x'"),
        ('a.mp4 -1\n', 'the label must be >= 0, got -1'),
        ('\n\n', 'annotation list .*list.txt is empty'),
        ('caf\xe9.mp4 0\n', 'is no UTF-8 text: .* at byte 3'),
    ],
    ids=['no_label', 'word', 'negative', 'empty', 'encoding'],
)
def test_malformed(tmp_path, text, message):
    (tmp_path / 'list.txt').write_bytes(text.encode('latin-1'))
    with pytest.raises(ValueError, match=message):
        read_list(tmp_path / 'list.txt')


def test_no_list(tmp_path):
    with pytest.raises(FileNotFoundError, match='annotation list .*none.txt does not exist'):
        read_list(tmp_path / 'none.txt')


def test_duplicate():
    check_unique('list.txt', [ListEntry(1, 'a', 0), ListEntry(2, 'b', 0)])
    with pytest.raises(ValueError, match=r"list.txt, line 3: 'a' is on line 1 already"):
        check_unique('list.txt', [ListEntry(1, 'a', 0), ListEntry(3, 'a', 1)])


def test_delimiter_and_number_of_classes(tmp_path):
    file = tmp_path / 'list.txt'
    file.write_text('a b.mp4,3\n')
    assert read_list(file, delimiter=',', num_classes=4) == [ListEntry(1, 'a b.mp4', 3)]
    with pytest.raises(ValueError, match=r"line 1: 'a b.mp4,3': the label must lie in \[0, 3\), got 3"):
        read_list(file, delimiter=',', num_classes=3)
    with pytest.raises(ValueError, match="expected 'path;label'"):
        read_list(file, delimiter=';')


def several(text, tmp_path, **options):
    (tmp_path / 'list.txt').write_text(text)
    return read_list(tmp_path / 'list.txt', several=True, **options)


def test_several_labels(tmp_path):
    entries = several('a.mp4 0 2\n\n  b c.mp4\t1  \n12 3\n', tmp_path, num_classes=4)
    assert entries == [ListEntry(1, 'a.mp4', (0, 2)), ListEntry(3, 'b c.mp4', (1,)), ListEntry(4, '12', (3,))]
    assert entries[0].line == 'a.mp4 0 2'
    entries = several('a 1.mp4,3,0\n', tmp_path, delimiter=',')
    assert entries == [ListEntry(1, 'a 1.mp4', (3, 0))] and entries[0].line == 'a 1.mp4,3,0'


@pytest.mark.parametrize('is_several', [False, True])
@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('a.mp4,3', r"expected 'path label'; the dataset takes delimiter=','"),
        ('a.mp4, 3', r"the path ends in ','; if that separates, the dataset takes delimiter=','"),
        ('"b c.mp4" 3', 'paths stand without quotes'),
        ("'b c.mp4' 3", 'paths stand without quotes'),
        ('b.mp4 9999999999', 'the label must have 9 digits at most, got 10'),
        ('b.mp4 1_0', r"the label must be an integer, got '1_0'"),
        ('b.mp4 \u0663', 'the label must be an integer'),
        ('b\0.mp4 3', 'the path holds a null character'),
        ('3', "expected 'path label'"),
    ],
)
def test_lines_that_mean_something_else(tmp_path, line, message, is_several):
    (tmp_path / 'list.txt').write_text(f'a.mp4 0\n{line}\n')
    with pytest.raises(ValueError, match=rf'list\.txt, line 2: .*{message}'):
        read_list(tmp_path / 'list.txt', several=is_several)


def test_frames_or_several_labels_in_a_list_of_videos(tmp_path):
    (tmp_path / 'list.txt').write_text('a.mp4 0\nb c 163 1\n')
    with pytest.raises(ValueError, match=r"line 2: 'b c 163 1': a list of videos has one number a line, the label; f"):
        read_list(tmp_path / 'list.txt')


def test_a_path_with_other_labels_is_a_contradiction(tmp_path):
    message = r"list\.txt, line 4: 'b/\./a\.mp4 1': the same path has other labels on line 2: 'b/a\.mp4 0'"
    (tmp_path / 'list.txt').write_text('a.mp4 1\nb/a.mp4 0\n\nb/./a.mp4 1\n')
    for is_several in (False, True):
        with pytest.raises(ValueError, match=message):
            read_list(tmp_path / 'list.txt', several=is_several)


def test_clips_of_one_folder_of_frames_may_have_other_labels(tmp_path):
    (tmp_path / 'list.txt').write_text('a 0 9 1\na 9 5 2\n')
    entries = read_frame_list(tmp_path / 'list.txt', with_offset=True)
    assert entries == [FrameEntry(1, 'a', 1, 9, 0), FrameEntry(2, 'a', 2, 5, 9)]
    assert [entry.line for entry in entries] == ['a 0 9 1', 'a 9 5 2']
    (tmp_path / 'list.txt').write_text('a 9 1\na 9 2\n')
    with pytest.raises(ValueError, match='the same path has other labels on line 1'):
        read_frame_list(tmp_path / 'list.txt')


def test_repetitions_are_counted_in_one_warning(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(list_files, 'print_log', lambda text, logger, level: said.append((text, level)))
    several('a.mp4 0 1\nb.mp4 2 2\na.mp4 1 0\n./a.mp4 0 1\nc.mp4 1\n', tmp_path)
    expected = '2 lines repeat an earlier line, the first is line 3; 1 lines have a label twice, the first is line 2'
    assert said == [(f'{tmp_path}/list.txt: {expected}', logging.WARNING)]
    several('a.mp4 0\nb.mp4 1\n', tmp_path)
    assert len(said) == 1


@pytest.mark.parametrize('path', ['.', './', 'a/..', '../videos', '/videos'])
def test_the_folder_itself_is_no_video(path):
    for allow_outside in (False, True):
        with pytest.raises(ValueError, match=rf"l\.txt, line 7: '{path}' is the folder /videos itself"):
            check_inside('l.txt', [(7, path)], '/videos', allow_outside)


def test_missing_files(tmp_path):
    (tmp_path / 'a.mp4').write_text('')
    assert missing_files(tmp_path, iter(['a.mp4', 'b.mp4', 'c/d.mp4'])) == ['b.mp4', 'c/d.mp4']
    with pytest.raises(FileNotFoundError, match='folder of videos nowhere does not exist'):
        missing_files('nowhere', [])
