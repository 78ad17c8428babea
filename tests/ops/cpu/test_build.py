"""Building the C solver: the cache, and what happens without a compiler."""

import ctypes
import hashlib
import os
import re
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch

from repflow_mm.ops import rep_flow
from repflow_mm.ops.backends import BACKENDS, choose_backend
from repflow_mm.ops.cpu import build, launch

needs_compiler = pytest.mark.skipif(not build.find_compilers(), reason='no C compiler')

SOURCE = 'int answer(void) { return 42; }\n'


@pytest.fixture
def tiny_source(tmp_path, monkeypatch):
    """A source that compiles at once, and an empty cache; returns the cache's path."""
    source = tmp_path / 'csrc'
    source.mkdir()
    (source / 'rep_flow.c').write_text(SOURCE)
    monkeypatch.setattr(build, 'SOURCE_DIR', source)
    monkeypatch.setenv('REPFLOW_MM_CACHE', str(tmp_path / 'cache'))
    return tmp_path / 'cache'


@pytest.fixture
def fresh_backend():
    """The CPU backend as a new process finds it."""
    launch.load.cache_clear()
    yield
    launch.load.cache_clear()


def _count_compilations(monkeypatch):
    run, compilations = build._run, []

    def counted(command):
        if '-shared' in command:
            compilations.append(command)
        return run(command)

    monkeypatch.setattr(build, '_run', counted)
    return compilations


@needs_compiler
def test_built_once_then_cached(tiny_source, monkeypatch):
    compilations = _count_compilations(monkeypatch)
    assert build.load_library().answer() == 42
    assert build.load_library().answer() == 42
    assert len(compilations) == 1
    assert sorted(path.suffix for path in tiny_source.iterdir()) == ['.sha256', '.so']
    assert stat.S_IMODE(tiny_source.stat().st_mode) == 0o700


def test_compiler_that_hangs_is_given_seconds_and_ended(tiny_source, tmp_path, monkeypatch, caplog):
    compiler = tmp_path / 'slow-cc'
    compiler.write_text(f'#!/bin/sh\nsleep 1000 &\necho $! > {tmp_path}/child\nwait\n')
    compiler.chmod(0o755)
    monkeypatch.setenv('CC', str(compiler))
    monkeypatch.setattr(build, 'COMPILERS', ())
    monkeypatch.setattr(build, 'PATIENCE_SECONDS', 0.5)
    monkeypatch.setattr(build, 'TIMEOUT_SECONDS', 1.5)
    with pytest.raises(
        RuntimeError, match=r"could not be built \(.*slow-cc: Command '.*' timed out after 1\.5 seconds"
    ):
        build.load_library()
    assert f'waiting for {compiler} to compile the C solver, 1 s more at most' in caplog.text
    status = Path('/proc', (tmp_path / 'child').read_text().strip(), 'stat')
    deadline = time.monotonic() + 10  # a process that was killed ends when it next gets a core
    while status.exists() and status.read_text().rpartition(')')[2].split()[0] != 'Z':
        assert time.monotonic() < deadline
        time.sleep(0.02)


@needs_compiler
def test_changed_source_is_built_again(tiny_source):
    build.load_library()
    (build.SOURCE_DIR / 'rep_flow.c').write_text(SOURCE.replace('42', '43'))
    assert build.load_library().answer() == 43


@needs_compiler
@pytest.mark.parametrize('content', [b'', b'\x7fELF half a library', None], ids=['empty', 'cut off', 'missing'])
def test_corrupt_cache_is_rebuilt(tiny_source, content, monkeypatch):
    compilations = _count_compilations(monkeypatch)
    build.load_library()
    (library,) = tiny_source.glob('*.so')
    library.unlink()  # a new file: the loaded one must not change
    if content is not None:
        library.write_bytes(content)
    assert build.load_library().answer() == 42
    assert len(compilations) == 2
    digest = library.with_suffix('.sha256').read_text()
    assert hashlib.sha256(library.read_bytes()).hexdigest() == digest


@needs_compiler
def test_several_processes_may_build_at_once(tiny_source):
    module, source = Path(build.__file__).parent, build.SOURCE_DIR
    code = f'import sys; sys.path.insert(0, {str(module)!r}); import build; from pathlib import Path\n'
    code += f'build.SOURCE_DIR = Path({str(source)!r}); assert build.load_library().answer() == 42'
    processes = [subprocess.Popen([sys.executable, '-c', code]) for _ in range(3)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    assert len(list(tiny_source.iterdir())) == 2


@needs_compiler
def test_unwritable_cache_still_builds(tiny_source, monkeypatch, caplog):
    tiny_source.write_text('a file where the directory should be')
    assert build.load_library().answer() == 42
    assert 'compiled for this process alone' in caplog.text


@pytest.fixture
def planted(tiny_source, monkeypatch):
    """A cache whose library is another than the source says, with a digest that fits it; returns the library.

    What is loaded from here on is told by its path: the system takes a second library of one path for the first.
    """
    monkeypatch.setattr(ctypes, 'CDLL', Path)
    monkeypatch.setattr(tempfile, 'tempdir', str(tiny_source.parent))
    library = build.load_library()
    library.write_bytes(b'planted')
    library.with_suffix('.sha256').write_text(hashlib.sha256(b'planted').hexdigest())
    assert build.load_library() == library
    return library


def _assert_built_anew(library, planted):
    assert library.parent != planted.parent and library.name == planted.name
    assert library.read_bytes().startswith(b'\x7fELF') and stat.S_IMODE(library.parent.stat().st_mode) == 0o700
    assert planted.read_bytes() == b'planted', 'what is not ours is left alone'


def _give_away(path, monkeypatch):
    """Make a file another user's; without the right to, make this process another user's, who owns nothing."""
    if os.geteuid():
        monkeypatch.setattr(os, 'geteuid', lambda: path.lstat().st_uid + 1)
    else:
        os.chown(path, 12345, -1, follow_symlinks=False)


@needs_compiler
@pytest.mark.parametrize('part', ['folder', 'library', 'digest'])
def test_cache_of_another_user_is_not_loaded(planted, monkeypatch, caplog, part):
    parts = dict(folder=planted.parent, library=planted, digest=planted.with_suffix('.sha256'))
    _give_away(parts[part], monkeypatch)
    planted.parent.chmod(0o1777)
    _assert_built_anew(build.load_library(), planted)
    assert re.search(r'belongs to another user \(uid \d+\); it is not used, and the solver is compiled', caplog.text)


@needs_compiler
@pytest.mark.parametrize(
    ('part', 'mode'), [('folder', 0o777), ('folder', 0o770), ('library', 0o775), ('library', 0o757)]
)
def test_cache_that_others_can_write_is_not_loaded(planted, caplog, part, mode):
    (planted.parent if part == 'folder' else planted).chmod(mode)
    _assert_built_anew(build.load_library(), planted)
    assert f'can be written by other users (mode {mode:04o}; chmod go-w mends it)' in caplog.text


@needs_compiler
def test_link_in_the_cache_is_not_followed(planted, caplog):
    planted.rename(planted.with_name('elsewhere'))
    planted.symlink_to('elsewhere')
    _assert_built_anew(build.load_library(), planted)
    assert f'{planted} is a link; it is not used' in caplog.text


@needs_compiler
def test_own_library_in_a_folder_for_all_with_the_sticky_bit_is_loaded(planted):
    planted.parent.chmod(0o1777)
    assert build.load_library() == planted


@needs_compiler
def test_library_is_trusted_whatever_the_umask(tiny_source, monkeypatch):
    before = os.umask(0)
    try:
        build.load_library()
    finally:
        os.umask(before)
    compilations = _count_compilations(monkeypatch)
    assert build.load_library().answer() == 42
    assert not compilations


@needs_compiler
def test_broken_compiler_is_passed_over(tiny_source, tmp_path, monkeypatch):
    broken = tmp_path / 'broken cc'
    broken.write_text('#!/bin/sh\necho no licence >&2\nexit 1\n')
    broken.chmod(0o755)
    monkeypatch.setenv('CC', f"'{broken}'")
    assert build.load_library().answer() == 42
    monkeypatch.setattr(build, 'COMPILERS', ())
    with pytest.raises(RuntimeError, match='could not be built .*broken cc.*no licence'):
        build.load_library()


def test_cache_dir_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv('REPFLOW_MM_CACHE', raising=False)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert build.cache_dir() == tmp_path / 'repflow_mm'
    monkeypatch.setenv('REPFLOW_MM_CACHE', os.fspath(tmp_path / 'own'))
    assert build.cache_dir() == tmp_path / 'own'


def test_without_compiler_one_warning_and_the_reference(fresh_backend, monkeypatch, recwarn):
    monkeypatch.setattr(build, 'find_compilers', lambda: [])
    x = torch.rand(1, 2, 2, 5, 5)
    for _ in range(2):
        assert choose_backend(x) is BACKENDS['reference']
        rep_flow(x, 0.3, 0.15, 0.25, num_iters=2)
    messages = [str(warning.message) for warning in recwarn]
    assert len(messages) == 1
    assert 'CC and cc, gcc, clang' in messages[0] and 'reference runs' in messages[0]
    with pytest.raises(NotImplementedError, match=r"backend='cpu' cannot run\n.*\n  - the C solver could not be built"):
        rep_flow(x, 0.3, 0.15, 0.25, num_iters=2, backend='cpu')


def test_operator_without_compiler_says_so(fresh_backend, monkeypatch):
    monkeypatch.setattr(build, 'find_compilers', lambda: [])
    x, scalar = torch.rand(1, 1, 2, 4, 4), torch.tensor(0.3)
    taps = torch.ones(2, 1, 2)
    with pytest.warns(UserWarning, match='could not be built'), pytest.raises(NotImplementedError, match='C solver'):
        torch.ops.repflow_mm.rep_flow_cpu(x, scalar, scalar, scalar, torch.ones(2, 1, 3, 3), taps, taps, 1)
