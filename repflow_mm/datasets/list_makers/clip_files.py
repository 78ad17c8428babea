"""The clips that are in a folder: videos, or folders of frames, found by their names."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from operator import itemgetter
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from repflow_mm.progress import progress_bar

VIDEO_SUFFIXES = (
    '.3gp', '.asf', '.avi', '.f4v', '.flv', '.gif', '.m2ts', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.mts',
    '.ogv', '.ts', '.vob', '.webm', '.wmv',
)  # fmt: skip
# How the official archives of Something-Something V1 and Jester name frames, and FFmpeg in the usual scripts.
FRAME_TEMPLATE = '{:05}.jpg'
_TEMPLATE = re.compile(r'(?P<head>[^{}]*)\{:0?(?P<digits>[0-9])d?\}(?P<tail>\.[A-Za-z]+)')


@cache
def squash(name: str) -> str:
    """A name without case, spaces, underscores and punctuation, which differ between copies of a data set."""
    return re.sub(r'[\W_]+', '', name).casefold()


@cache
def loose(name: str) -> str:
    """A clip's name squashed, but that numbers stay apart: ``clip_1_0`` is not ``clip_10``."""
    return '_'.join(map(squash, re.split(r'(?<=[0-9])[\W_]+(?=[0-9])', name)))


class Clip(NamedTuple):
    """A clip that annotations name.

    Attributes:
        path: Where the data set's own layout has it.
        label: Its label; None if annotations do not tell it.
        names: What its file or folder of frames may be called elsewhere, without suffix; the likeliest first.
        part: Of a clip that is a part of a file: the number of frames before it, and its own. Defaults to None.
    """

    path: str
    label: int | None
    names: tuple[str, ...]
    part: tuple[int, int] | None = None


class ClipFiles:
    """The videos below a folder, in whatever folders they lie and whatever their suffixes.

    Hidden files and folders are passed over; links are followed.

    Args:
        folder (str | Path): The folder.
        loosely (bool): Whether a name that is not there may be found without its case, blanks and punctuation, if one
            video alone has it then. Defaults to False.

    Attributes:
        others (Counter): How many files there are of each suffix that is no video's.

    Raises:
        FileNotFoundError: If the folder does not exist.
    """

    kind = 'videos'

    def __init__(self, folder: str | Path, loosely: bool = False) -> None:
        if not Path(folder).is_dir():
            raise FileNotFoundError(f'folder of {self.kind} {folder} does not exist')
        self.folder, self.others = Path(folder), Counter()
        self.paths = sorted(self._clips())
        self._known = set(self.paths)
        self._by_name, self._by_loose = defaultdict(list), defaultdict(list)
        for path in self.paths:
            self._by_name[self._name(path)].append(path)
            if loosely:
                self._by_loose[loose(self._name(path))].append(path)

    def find(self, clip: Clip, class_name: str, classes: Collection[str] = ()) -> str | None:
        """The path of a clip, relative to the folder; None if it is not there, or empty.

        Args:
            clip (Clip): The clip. Its own path counts first, then its names in their order.
            class_name (str): Its class. A file in a folder of this name is preferred.
            classes (Collection[str]): Squashed names of all classes; a file in a folder of another class is not taken.
        """
        own = squash(class_name)
        paths = [clip.path] if clip.path in self._known else []
        return next(filter(self.is_whole, [*paths, *self._candidates(clip.names, own, classes)]), None)

    @property
    def hint(self) -> str:
        """Why no clip may have been found, for errors: files whose suffix is no video's."""
        return f'; no videos by their suffix are {counted_suffixes(self.others)}' if self.others else ''

    def is_whole(self, path: str) -> bool:
        """Whether a clip of the folder is there and not empty."""
        try:
            return (self.folder / path).stat().st_size > 0
        except OSError:  # a link to nowhere
            return False

    def entry(self, path: str) -> str:
        """What a list says of a clip before its label: the path."""
        return path

    def _candidates(self, names: Sequence[str], own: str, classes: Collection[str]) -> list[str]:
        found = [path for name in names for path in self._by_name.get(name, ())]
        if not found:
            alike = {path for name in names for path in self._by_loose.get(loose(name), ())}
            found = list(alike) if len(alike) == 1 else []
        folders = {path: [squash(part) for part in path.split('/')[:-1]] for path in found}
        fitting = [path for path in found if own in folders[path] or not any(map(classes.__contains__, folders[path]))]
        return sorted(fitting, key=lambda path: own not in folders[path])

    def _clips(self) -> Iterator[str]:
        for folder, files in self._folders():
            for file in files:
                suffix = os.path.splitext(file)[1].lower()
                if suffix in VIDEO_SUFFIXES:
                    yield _joined(folder, file)
                else:
                    self.others[suffix] += 1

    def _folders(self) -> Iterator[tuple[str, list[str]]]:
        """Every folder below, relative, with its files; each once, however often links lead there."""
        seen = set()
        walk = os.walk(self.folder, followlinks=True)
        for folder, subfolders, files in progress_bar(walk, f'{self.folder}: looking for {self.kind}', unit='folder'):
            real = os.path.realpath(folder)
            subfolders[:] = [] if real in seen else sorted(name for name in subfolders if not name.startswith('.'))
            if real not in seen:
                relative = os.path.relpath(folder, self.folder)
                yield '' if relative == '.' else relative, [file for file in files if not file.startswith('.')]
            seen.add(real)

    def _name(self, path: str) -> str:
        return PurePosixPath(path).stem


class FrameFolders(ClipFiles):
    """The folders of frames below a folder, named by a template, without a gap from 1 on.

    Args:
        folder (str | Path): The folder.
        template (str): MMAction2's ``filename_tmpl``, such as ``'img_{:05}.jpg'``. Defaults to ``'{:05}.jpg'``.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If the template is none.
    """

    kind = 'rawframes'

    def __init__(self, folder: str | Path, template: str = FRAME_TEMPLATE) -> None:
        match = _TEMPLATE.fullmatch(template)
        if not match:
            raise ValueError(f"the template must be such as '{FRAME_TEMPLATE}' or 'img_{{:05}}.jpg', got {template!r}")
        head, tail = re.escape(match['head']), re.escape(match['tail'])
        self.template, self._other_image = template, None
        self._frame = re.compile(f'{head}([0-9]{{{match["digits"]},}}){tail}')
        self._counts = {}
        super().__init__(folder)

    @property
    def hint(self) -> str:
        """An image that the template does not name, if there is one."""
        image = self._other_image
        return f'; {image} is not named {self.template}' if image else ''

    @property
    def incomplete(self) -> list[str]:
        """The folders that lack a frame."""
        return [path for path in self.paths if not self._counts[path]]

    def entry(self, path: str) -> str:
        """What a list says of a clip before its label: the path and the number of frames."""
        return f'{path} {self._counts[path]}'

    def is_whole(self, path: str) -> bool:
        """Whether a folder has a frame, and no gap."""
        return self._counts[path] > 0

    def _clips(self) -> Iterator[str]:
        for folder, files in filter(itemgetter(0), self._folders()):
            matches = [self._frame.fullmatch(file) for file in files]
            numbers = {int(match[1]) for match in matches if match}
            if numbers:
                self._counts[folder] = len(numbers) if numbers == set(range(1, len(numbers) + 1)) else 0
                yield folder
            elif files and self._other_image is None:
                images = [file for file in files if file.lower().endswith(('.jpg', '.jpeg', '.png'))]
                self._other_image = _joined(folder, min(images)) if images else None

    def _name(self, path: str) -> str:
        return PurePosixPath(path).name


def counted_suffixes(others: Mapping[str, int]) -> str:
    """Numbers of files by their suffix in words, the most frequent first: ``12 × .mxf, 1 × no suffix``."""
    return ', '.join(f'{count:,} × {suffix or "no suffix"}' for suffix, count in Counter(others).most_common())


def _joined(folder: str, file: str) -> str:
    return f'{folder}/{file}' if folder else file
