import json
import os

import pytest

from repflow_mm.files import claim_folder, completed, locked, write_json, write_text


def test_write_json_is_indented_text_with_a_line_end(tmp_path):
    write_json(tmp_path / 'a.json', dict(a=[1], b=None))
    assert (tmp_path / 'a.json').read_text() == '{\n  "a": [\n    1\n  ],\n  "b": null\n}\n'


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
    assert list(tmp_path.iterdir()) == [file]


def test_completed_file_has_its_name_at_the_end_or_is_gone(tmp_path):
    file = tmp_path / 'plot.png'
    with completed(file) as temporary:
        temporary.write_bytes(b'picture')
        assert not file.exists() and temporary.suffix == '.png' and str(os.getpid()) in temporary.name
    assert file.read_bytes() == b'picture'
    with pytest.raises(ZeroDivisionError), completed(file) as temporary:
        temporary.write_bytes(b'half')
        1 / 0  # noqa: B018
    assert file.read_bytes() == b'picture' and list(tmp_path.iterdir()) == [file]


def test_locks_have_names(tmp_path):
    with locked(tmp_path, '.a.lock'), locked(tmp_path, '.b.lock'):
        assert sorted(path.name for path in tmp_path.iterdir()) == ['.a.lock', '.b.lock']


def test_claimed_folder(tmp_path):
    parameters = dict(size=3, names=('a', 'b'))
    (tmp_path / '.lock').touch()
    for _ in range(2):
        claim_folder(tmp_path, 'made.json', parameters, 'things')
    assert json.loads((tmp_path / 'made.json').read_text()) == dict(size=3, names=['a', 'b'])
    others = dict(size=4, depth=1, names=('a', 'b'))
    message = r'holds things made with size=3 \(now 4\), depth=None \(now 1\)\. Take another folder{}\.'
    with pytest.raises(ValueError, match=message.format('')):
        claim_folder(tmp_path, 'made.json', others, 'things')
    with pytest.raises(ValueError, match=message.format(', or wait')):
        claim_folder(tmp_path, 'made.json', others, 'things', 'or wait')
    cleared = []
    claim_folder(tmp_path, 'made.json', others, 'things', clear=lambda: cleared.append(1))
    assert cleared and json.loads((tmp_path / 'made.json').read_text())['size'] == 4
    (tmp_path / 'made.json').write_text('{"size": ')
    with pytest.raises(ValueError, match='made.json cannot be read'):
        claim_folder(tmp_path, 'made.json', others, 'things')
    (tmp_path / 'made.json').rename(tmp_path / 'else.txt')
    with pytest.raises(ValueError, match=r"holds \['else.txt'\] but no made.json; take an empty folder"):
        claim_folder(tmp_path, 'made.json', others, 'things')
