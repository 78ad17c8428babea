import pytest

from repflow_mm.datasets.lists.list_files import ListEntry, check_inside, check_unique, missing_files, read_list


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
