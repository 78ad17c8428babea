"""Files with the same content."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from repflow_mm.files import sha256_of
from repflow_mm.progress import progress_bar


def duplicates(folder: str | Path, paths: Iterable[str]) -> list[list[str]]:
    """Groups of files that have the same size and the same SHA-256 hash.

    Args:
        folder (str | Path): What the paths are relative to.
        paths (Iterable[str]): The files. Only those of a size that several have are read.

    Returns:
        list[list[str]]: The paths of each group of two or more, in their order.
    """
    sizes = defaultdict(list)
    for path in paths:
        sizes[os.path.getsize(Path(folder, path))].append(path)
    suspects = [path for same in sizes.values() if len(same) > 1 for path in same]
    hashes = defaultdict(list)
    for path in progress_bar(suspects, 'looking for duplicates', unit='file'):
        hashes[sha256_of(Path(folder, path))].append(path)
    return [same for same in hashes.values() if len(same) > 1]
