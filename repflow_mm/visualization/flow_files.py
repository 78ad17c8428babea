"""The files that show a clip's flow: a sheet, animations, a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from repflow_mm.datasets.video_files import write_video
from repflow_mm.files import completed
from repflow_mm.visualization.clip_flow import ClipFlow
from repflow_mm.visualization.page import page_of
from repflow_mm.visualization.sheets import animation, moments_sheet

FORMATS = ('png', 'html', 'gif', 'mp4')


def write_flow_files(
    clip: ClipFlow, folder: str | Path, formats: Sequence[str] = FORMATS, title: str = '', fps: int = 8
) -> list[Path]:
    """Write the flow of a clip as ``flow.png``, ``flow.html``, ``flow.gif`` and ``flow.mp4``.

    Args:
        clip (ClipFlow): What is shown.
        folder (str | Path): Where to; made if it does not exist.
        formats (Sequence[str]): Which of them. Defaults to all.
        title (str): Shown above. Defaults to none.
        fps (int): Frames per second of the animations. Defaults to 8.

    Returns:
        list[Path]: The files; each appears under its name when it is complete.

    Raises:
        OSError: If a file cannot be written.
        ValueError: If there is no such format.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise ValueError(f'formats must be any of {FORMATS}, got {unknown[0]!r}')
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f'flow.{name}' for name in formats]
    animated = list(animation(clip, title)) if {'gif', 'mp4'} & set(formats) else []
    for path in paths:
        if path.suffix == '.png':
            write_png(path, moments_sheet(clip, title=title))
        elif path.suffix == '.html':
            write_page(path, clip, title, fps)
        elif path.suffix == '.gif':
            write_gif(path, animated, fps)
        else:
            write_video(path, (frame[..., ::-1] for frame in animated), fps)  # OpenCV's order of colours
    return paths


def write_png(path: Path, image: np.ndarray) -> None:
    """Write a picture (H, W, 3), uint8, RGB."""
    with completed(path) as temporary:
        Image.fromarray(image).save(temporary)


def write_gif(path: Path, frames: Sequence[np.ndarray], fps: int) -> None:
    """Write pictures (H, W, 3), uint8, RGB, of one size, as an animation that repeats for ever."""
    # One palette for all frames, so that colours do not flicker, of a few frames that stand for all.
    some = np.concatenate(frames[:: max(len(frames) // 4, 1)])
    palette = Image.fromarray(some).quantize(256)
    dither = Image.Dither.FLOYDSTEINBERG
    images = [Image.fromarray(frame).quantize(palette=palette, dither=dither) for frame in frames]
    with completed(path) as temporary:
        images[0].save(temporary, save_all=True, append_images=images[1:], duration=round(1000 / fps), loop=0)


def write_page(path: Path, clip: ClipFlow, title: str, fps: int) -> None:
    """Write the page of a clip."""
    with completed(path) as temporary:
        temporary.write_text(page_of(clip, title, fps), encoding='utf-8')
