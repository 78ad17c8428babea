import errno
import fcntl
import hashlib
import json
import os
import socket
import subprocess
import time

import pytest
from helpers import other_run

from repflow_mm import files
from repflow_mm.files import check_writable, claim_folder, completed, locked, sha256_of, write_json, write_text


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


def test_sha256_of_a_file_of_several_blocks(tmp_path):
    content = bytes(range(256)) * 2**13  # 2 MiB
    (tmp_path / 'weights.pth').write_bytes(content)
    assert sha256_of(tmp_path / 'weights.pth') == hashlib.sha256(content).hexdigest()


def test_locks_have_names(tmp_path):
    with locked(tmp_path, '.a.lock'), locked(tmp_path, '.b.lock'):
        assert sorted(path.name for path in tmp_path.iterdir()) == ['.a.lock', '.b.lock']


def test_second_run_is_told_the_first_ones_process_and_host(tmp_path):
    with other_run(tmp_path) as other:
        who = f'process {other.pid} on {socket.gethostname()}'
        message = f'another run is writing to {tmp_path} ({who}); wait for it or take another folder'
        with pytest.raises(OSError) as error, locked(tmp_path):
            pass
        assert str(error.value) == message
        other.kill()
        other.wait()
        assert (tmp_path / '.lock').read_text() == who, 'a killed run leaves its entry behind'
        with locked(tmp_path):
            assert (tmp_path / '.lock').read_text() == f'process {os.getpid()} on {socket.gethostname()}'
    assert (tmp_path / '.lock').read_text() == ''


def test_lock_waits_for_a_run_that_is_about_to_end(tmp_path):
    with other_run(tmp_path) as other:
        other.stdin.close()
        with locked(tmp_path, patience=60):
            pass


@pytest.fixture
def no_locks(monkeypatch):
    def lockf(*args):
        raise OSError(errno.ENOLCK, 'No locks available')

    monkeypatch.setattr(fcntl, 'lockf', lockf)


def test_without_locks_a_live_process_of_this_host_counts(tmp_path, no_locks):
    held = f'process {os.getppid()} on {socket.gethostname()}'
    (tmp_path / '.lock').write_text(held)
    with pytest.raises(OSError, match=f'another run is writing to .* \\({held}\\)'), locked(tmp_path):
        pass
    ended = subprocess.Popen(['true'])
    ended.wait()
    (tmp_path / '.lock').write_text(f'process {ended.pid} on {socket.gethostname()}')
    with locked(tmp_path):
        pass


def test_without_locks_another_host_counts_while_it_touches_the_file(tmp_path, no_locks, monkeypatch):
    (tmp_path / '.lock').write_text('process 7 on other-host')
    with pytest.raises(OSError, match=r'\(process 7 on other-host\)'), locked(tmp_path):
        pass
    long_ago = time.time() - 2 * files.STALE_SECONDS
    os.utime(tmp_path / '.lock', (long_ago, long_ago))
    monkeypatch.setattr(files, 'STALE_SECONDS', 0.05)
    with locked(tmp_path):
        os.utime(tmp_path / '.lock', (long_ago, long_ago))
        deadline = time.monotonic() + 30
        while (tmp_path / '.lock').stat().st_mtime < long_ago + 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert (tmp_path / '.lock').stat().st_mtime > long_ago + 1


def test_writable_places_pass_and_keep_nothing(tmp_path):
    for path in (tmp_path, tmp_path / 'new' / 'folder', tmp_path / 'file.json'):
        check_writable(path, 'folder')
    assert list(tmp_path.iterdir()) == []


def test_unwritable_places_are_named(tmp_path, monkeypatch):
    (tmp_path / 'file').touch()
    inside = tmp_path / 'file' / 'inside'
    with pytest.raises(OSError, match=rf'^--dump {inside} cannot be written: Not a directory \({tmp_path}/file\)$'):
        check_writable(inside, '--dump')
    with pytest.raises(OSError, match=r'^working folder /proc/new cannot be written: .+ \(/proc\)$'):
        check_writable(files.Path('/proc/new'), 'working folder')

    def fsync(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, 'fsync', fsync)
    with pytest.raises(OSError, match='cannot be written: No space left on device'):
        check_writable(tmp_path, 'folder')


def test_file_that_must_not_be_changed_is_named(tmp_path, monkeypatch):
    (tmp_path / 'scores.pkl').touch()
    check_writable(tmp_path / 'scores.pkl', '--dump')
    monkeypatch.setattr(os, 'access', lambda path, mode: False)  # as for others than root
    with pytest.raises(OSError, match=r'^--dump .*scores\.pkl cannot be written: Permission denied'):
        check_writable(tmp_path / 'scores.pkl', '--dump')


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
