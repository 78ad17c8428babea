"""Videos that a command line names: files, folders, lists."""

from __future__ import annotations

from pathlib import Path

from repflow_mm.datasets.list_makers.clip_files import VIDEO_SUFFIXES
from repflow_mm.datasets.lists.list_files import check_inside, read_list


def find_videos(place: str | Path, root: str | Path | None = None, allow_outside: bool = False) -> list[Path]:
    """The videos that a place holds.

    Args:
        place (str | Path): A video, a folder, which is searched with all below it, or an annotation list (``.txt``).
        root (str | Path, optional): Folder of a list's videos. Defaults to the list's own.
        allow_outside (bool): Whether a list's paths may lead out of that folder. Defaults to False.

    Returns:
        list[Path]: The videos, those of a folder in the order of their names, those of a list in its order.

    Raises:
        FileNotFoundError: If the place does not exist, or a list's video.
        ValueError: If a folder holds no video, or a line of a list is malformed or leads out of its folder.
    """
    place = Path(place)
    if place.is_dir():
        videos = sorted(path for path in place.rglob('*') if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file())
        if not videos:
            raise ValueError(f'folder {place} holds no video ({", ".join(VIDEO_SUFFIXES)})')
        return videos
    if not place.is_file():
        raise FileNotFoundError(f'video, folder or list {place} does not exist')
    if place.suffix.lower() != '.txt':
        return [place]
    folder = place.parent if root is None else Path(root)
    entries = read_list(place)
    check_inside(place, [(entry.number, entry.path) for entry in entries], folder, allow_outside)
    videos = [folder / entry.path for entry in entries]
    for video in videos:
        if not video.is_file():
            raise FileNotFoundError(f'{place} names {video}, which does not exist; --video-root says where videos are')
    return videos
