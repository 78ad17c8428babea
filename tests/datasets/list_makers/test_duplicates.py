from repflow_mm.datasets.list_makers.duplicates import duplicates


def test_the_same_content(tmp_path):
    for name, text in dict(a='one', b='two', c='one', d='three', e='two', f='one').items():
        (tmp_path / name).write_text(text)
    assert duplicates(tmp_path, 'abcdef') == [['a', 'c', 'f'], ['b', 'e']]


def test_files_of_a_size_of_their_own_are_not_read(tmp_path, monkeypatch):
    for name, size in dict(a=1, b=2, c=3).items():
        (tmp_path / name).write_bytes(b'x' * size)
    monkeypatch.setattr('repflow_mm.datasets.list_makers.duplicates.sha256_of', None)
    assert duplicates(tmp_path, 'abc') == []
