import os

import pytest

from repflow_mm.files import locked, write_text


def test_write_text_is_complete_or_absent(tmp_path, monkeypatch):
    file = tmp_path / 'list.txt'
    write_text(file, ['one', 'two'])
    assert file.read_text() == 'one\ntwo\n'
    before = file.stat().st_mtime_ns
    write_text(file, ['one', 'two'])
    assert file.stat().st_mtime_ns == before

    def fail(*args):
        raise OSError('no space')

    monkeypatch.setattr(os, 'replace', fail)
    with pytest.raises(OSError, match='no space'):
        write_text(file, ['three'])
    assert file.read_text() == 'one\ntwo\n'


def test_locks_have_names(tmp_path):
    with locked(tmp_path, '.a.lock'), locked(tmp_path, '.b.lock'):
        assert sorted(path.name for path in tmp_path.iterdir()) == ['.a.lock', '.b.lock']
