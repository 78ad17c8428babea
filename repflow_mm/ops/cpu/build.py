"""Compiles the C solver at first use and keeps the result in a per-user cache.

Nothing is compiled at install time: a wheel stays pure Python, the kernel is built for the very CPU that runs it, and
a machine without a compiler loses speed but not the package.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
from pathlib import Path

logger = logging.getLogger(__name__)

SOURCE_DIR = Path(__file__).parent / 'csrc'
COMPILERS = ('cc', 'gcc', 'clang')
# No -ffast-math: NaN must come out where NaN went in, and sums keep their order.
FLAGS = (
    '-std=gnu11',
    '-O3',
    '-fno-math-errno',
    '-fno-trapping-math',
    '-ffp-contract=fast',
    '-fopenmp-simd',
    '-fPIC',
    '-shared',
)
LIBRARIES = ('-lm', '-lpthread', '-ldl')
# The first that the compiler accepts.
NATIVE_FLAGS = (('-march=native', '-mprefer-vector-width=512'), ('-march=native',), ('-mcpu=native',), ())
# A compiler that takes longer is given up; after the first of these seconds a line says what is waited for.
TIMEOUT_SECONDS = 120
PATIENCE_SECONDS = 10


def load_library() -> ctypes.CDLL:
    """The compiled solver, from the cache or built now.

    Returns:
        ctypes.CDLL: The library.

    Raises:
        RuntimeError: If no compiler is found or none of them builds it; the message says what was tried.
    """
    failures = []
    for compiler in find_compilers():
        try:
            return _load_or_build(compiler)
        except (OSError, subprocess.SubprocessError) as error:
            output = getattr(error, 'stderr', None) or ''
            failures.append(f'{shlex.join(compiler)}: {error} {output.strip()[-2000:]}'.strip())
    tried = '; '.join(failures) or f'none of the environment variable CC and {", ".join(COMPILERS)} is an executable'
    raise RuntimeError(f'the C solver could not be built ({tried})')


def find_compilers() -> list[list[str]]:
    """The C compilers at hand, as command lines: that of the environment variable CC first."""
    commands = [shlex.split(os.environ.get('CC', '')), *([name] for name in COMPILERS)]
    return [command for command in commands if command and shutil.which(command[0])]


def cache_dir() -> Path:
    """The directory of compiled kernels: REPFLOW_MM_CACHE, or repflow_mm in the user's cache directory."""
    if os.environ.get('REPFLOW_MM_CACHE'):
        return Path(os.environ['REPFLOW_MM_CACHE'])
    return Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'repflow_mm'


def library_name(compiler: list[str]) -> str:
    """The name in the cache of what a compiler makes of the sources for this CPU.

    Raises:
        OSError: If the compiler does not work.
    """
    return _name(*_native_flags(compiler))


def _load_or_build(compiler: list[str]) -> ctypes.CDLL:
    native, macros = _native_flags(compiler)
    path = cache_dir() / _name(native, macros)
    reason = _untrusted_reason(path)
    if reason is not None:
        logger.warning('%s; it is not used, and the solver is compiled for this process alone', reason)
        path = _build([*compiler, *FLAGS, *native], _private_folder() / path.name)
    elif not _is_intact(path):
        path = _build([*compiler, *FLAGS, *native], path)
    return ctypes.CDLL(str(path))


def _name(native: list[str], macros: str) -> str:
    key = hashlib.sha256('\0'.join([*FLAGS, *native, macros]).encode())
    for source in sorted(SOURCE_DIR.glob('*.[ch]')):
        key.update(source.read_bytes())
    return f'rep_flow-{key.hexdigest()[:32]}.so'


def _untrusted_reason(path: Path) -> str | None:
    """Why a library may be another user's, whose code would run as this one; None where it cannot be.

    Folder, library and digest must be this user's or root's, and no other user may change them. In a folder that all
    may write to, the sticky bit keeps others from that. A link counts as the one who made it.
    """
    parts = {path.parent: os.stat, path: os.lstat, _digest_path(path): os.lstat}
    for part, look in parts.items():
        try:
            status = look(part)
        except OSError:  # not there, or made unusable: then nothing is loaded from it
            continue
        if status.st_uid not in (os.geteuid(), 0):
            return f'{part} belongs to another user (uid {status.st_uid})'
        if stat.S_ISLNK(status.st_mode):
            return f'{part} is a link'
        mode = stat.S_IMODE(status.st_mode)
        is_sticky_folder = stat.S_ISDIR(status.st_mode) and mode & stat.S_ISVTX
        if mode & (stat.S_IWGRP | stat.S_IWOTH) and not is_sticky_folder:
            return f'{part} can be written by other users (mode {mode:04o}; chmod go-w mends it)'
    return None


def _private_folder() -> Path:
    """A new folder that no other user can look into."""
    return Path(tempfile.mkdtemp(prefix='repflow_mm-'))


def _native_flags(compiler: list[str]) -> tuple[list[str], str]:
    """The flags that tune for this CPU, and the macros they define: these tell CPUs and compiler versions apart."""
    for native in NATIVE_FLAGS:
        command = [*compiler, *native, '-dM', '-E', '-x', 'c', os.devnull]
        result = _run(command)
        if result.returncode == 0:
            return list(native), result.stdout
    raise OSError(f'{shlex.join(command)} failed: {result.stderr.strip()}')


def _run(command: list[str]) -> subprocess.CompletedProcess:
    """Run a compiler; one that hangs is ended after ``TIMEOUT_SECONDS``, with what it has started."""
    pipes = dict(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with subprocess.Popen(command, start_new_session=True, **pipes) as process:
        try:
            try:
                output = process.communicate(timeout=PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                left = TIMEOUT_SECONDS - PATIENCE_SECONDS
                logger.warning('waiting for %s to compile the C solver, %g s more at most', command[0], left)
                output = process.communicate(timeout=left)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise subprocess.TimeoutExpired(command[0], TIMEOUT_SECONDS) from None
            raise
    return subprocess.CompletedProcess(command, process.returncode, *output)


def _is_intact(path: Path) -> bool:
    """Whether the library is there, with the digest that was written beside it: loading half a file would crash."""
    try:
        return _digest_path(path).read_text() == hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return False


def _digest_path(path: Path) -> Path:
    return path.with_suffix('.sha256')


def _build(command: list[str], path: Path) -> Path:
    """Compile to ``path``, or into a temporary directory where that cannot be written; returns where it lies."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=path.parent))
    except OSError as error:
        work = _private_folder()
        logger.warning('%s cannot be written (%s): the solver is compiled for this process alone', path.parent, error)
        path = work / path.name
    logger.info('compiling the C solver with %s, once', command[0])
    built = work / 'library'
    try:
        arguments = [*command, '-o', str(built), str(SOURCE_DIR / 'rep_flow.c'), *LIBRARIES]
        _run(arguments).check_returncode()
        digest = work / 'digest'
        digest.write_text(hashlib.sha256(built.read_bytes()).hexdigest())
        for file in (built, digest):
            file.chmod(0o755)  # whatever the umask: what others can write is not trusted
        # Several processes may build at once: each replaces whole files, and all of them build the same.
        os.replace(built, path)
        os.replace(digest, _digest_path(path))
    finally:
        if work != path.parent:
            shutil.rmtree(work, ignore_errors=True)
    return path
