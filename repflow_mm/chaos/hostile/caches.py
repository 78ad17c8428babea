"""Caches that another user of the machine has left something in: compiled kernels, and torch's downloads."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from repflow_mm.apis import train
from repflow_mm.chaos.hostile.checkpoints import write_pickle
from repflow_mm.chaos.hostile.offer import Offer, Write, maker
from repflow_mm.ops.cpu import build

# A library that does something as soon as it is loaded.
SOURCE = """
#include <sys/stat.h>
__attribute__((constructor)) static void run(void) {{ mkdir("{mark}", 0700); }}
"""
OTHER_USER = 12345
# Names in torch's cache, what loads each, and where it says that it comes from.
DOWNLOADS = (
    ('weights.pth', 'load_from', 'http://127.0.0.1:9/weights.pth'),
    ('weights.pth', 'model.backbone.pretrained', 'https://127.0.0.1:9/weights.pth'),
    ('resnet18-f37072fd.pth', 'model.backbone.pretrained', 'torchvision://resnet18'),
)


def cache_offers(config: Path) -> list[Offer]:
    """Planted libraries, where there is a compiler, and planted downloads; ``config`` is that of a small training."""
    start = [str(config), '--no-validate', '--work-dir', 'run']
    found = []
    for name, spoil in ways_to_plant() if build.find_compilers() else ():
        made = maker(partial(write_library, spoil), lambda cache: [f'REPFLOW_MM_CACHE={cache}', *start])
        found.append(Offer('caches', f'compiled kernels, {name}', train_with, made))
    for name, option, address in DOWNLOADS:
        options = ['--cfg-options', f'{option}={address}']
        made = maker(_download_writer(name), lambda home, options=options: [f'TORCH_HOME={home}', *start, *options])
        found.append(Offer('caches', f'downloads, {option}={address}', train_with, made))
    return found


def train_with(arguments: list[str]) -> None:
    """Train with an environment variable, ``NAME=value``, that comes before the arguments."""
    name, _, value = arguments[0].partition('=')
    os.environ[name] = value
    train.main(arguments[1:])


def ways_to_plant() -> Iterator[tuple[str, Callable[[Path], object]]]:
    """What tells that a library is not this user's, and what makes it so, given the library."""
    yield 'that others can write', lambda library: library.chmod(0o777)
    yield 'in a folder that others can write', lambda library: library.parent.chmod(0o777)
    yield 'a link', _make_a_link
    if not os.geteuid():
        yield "another user's", lambda library: os.chown(library, OTHER_USER, -1)
        yield "another user's folder", lambda library: os.chown(library.parent, OTHER_USER, -1)


def _make_a_link(library: Path) -> None:
    library.rename(library.with_name('elsewhere'))
    library.symlink_to('elsewhere')


def write_library(spoil: Callable[[Path], object], folder: Path, mark: Path) -> Path:
    """Plant a library with code in a cache; returns the cache.

    Args:
        spoil (Callable): What tells, given the library, that it is not this user's.
        folder (Path): Where the cache is made.
        mark (Path): What the library makes when it is loaded.
    """
    compiler, cache, source = build.find_compilers()[0], folder / 'cache', folder / 'planted.c'
    cache.mkdir(mode=0o700)
    library = cache / build.library_name(compiler)
    source.write_text(SOURCE.format(mark=mark), encoding='utf-8')
    subprocess.run([*compiler, '-shared', '-fPIC', '-o', library, source], check=True)
    digest = library.with_suffix('.sha256')
    digest.write_text(hashlib.sha256(library.read_bytes()).hexdigest(), encoding='utf-8')
    for file in (library, digest):
        file.chmod(0o755)
    spoil(library)
    return cache


def _download_writer(name: str) -> Write:
    def write(folder: Path, mark: Path) -> Path:
        """Plant a pickle with code in torch's cache; returns torch's home."""
        cache = folder / 'torch' / 'hub' / 'checkpoints'
        cache.mkdir(parents=True)
        write_pickle(cache, mark).rename(cache / name)
        return folder / 'torch'

    return write
