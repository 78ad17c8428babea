"""Sheets of pictures with captions: a clip at some moments, an animation's frames, clips under each other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from repflow_mm.visualization.clip_flow import ClipFlow, FlowTrack
from repflow_mm.visualization.flow_image import flow_legend, flow_to_image
from repflow_mm.visualization.overlays import flow_arrows, flow_overlay

# Shorter side of a picture in pixels, at least; smaller frames are enlarged by a whole number.
SHORT_SIDE = 128
# Arrows to the shorter side of a picture.
ARROWS = 10
MARGIN, FONT_SIZE, SMALLEST_FONT = 6, 12, 8
GROUND, INK = (255, 255, 255), (25, 25, 25)


class Panel(NamedTuple):
    """A picture (3, H, W), uint8, RGB, or None for an empty place, and the lines above it."""

    image: Tensor | None
    caption: str = ''


def moments_sheet(clip: ClipFlow, moments: int = 3, title: str = '') -> np.ndarray:
    """A clip at some moments, spread evenly over its length.

    Args:
        clip (ClipFlow): The clip; everything that it has is shown.
        moments (int): How many. Defaults to 3.
        title (str): A line above, before the prediction. Defaults to none.

    Returns:
        np.ndarray: (H, W, 3), uint8, RGB.
    """
    count = min(moments, clip.num_steps)
    frames = [round((k + 0.5) * clip.num_steps / count - 0.5) for k in range(count)]
    rows = [row for k, frame in enumerate(frames) for row in _rows(clip, frame, with_legend=k == 0)]
    return compose(rows, _title(title, clip))


def animation(clip: ClipFlow, title: str = '') -> Iterator[np.ndarray]:
    """The same for each step of a clip after the other: pictures (H, W, 3), uint8, RGB, all of one size."""
    for frame in range(clip.num_steps):
        yield compose(_rows(clip, frame), _title(title, clip))


def moment_picture(clip: ClipFlow, frame: int, short_side: int = SHORT_SIDE) -> np.ndarray:
    """A clip at one frame, (H, W, 3), uint8, RGB, each picture with that shorter side at least."""
    return compose(_rows(clip, frame, short_side=short_side))


def clips_sheet(clips: Sequence[tuple[str, ClipFlow]], title: str = '') -> np.ndarray:
    """Clips under each other, each at its middle: the frame, for each layer its mean flow, the classical flow.

    Args:
        clips (Sequence[tuple[str, ClipFlow]]): Clips with a caption.
        title (str): A line above. Defaults to none.

    Returns:
        np.ndarray: (H, W, 3), uint8, RGB.
    """
    rows = []
    for caption, clip in clips:
        frame = clip.num_steps // 2
        means = [tracks[0] for tracks in clip.layers.values()] + [clip.classical] * (clip.classical is not None)
        predicted = [f'predicted: {name} ({percent(score)})' for name, score in clip.scores[:1]]
        lines = '\n'.join([caption, *predicted])
        image = enlarged(clip.frames[frame])
        row = [Panel(image, lines)]
        for track in means:
            row += [colour_panel(clip, track, frame, image), _over(clip, track, frame, image)]
        rows.append(row)
    return compose(rows, title)


def compose(rows: Sequence[Sequence[Panel]], title: str = '') -> np.ndarray:
    """Panels in rows, on one ground.

    Args:
        rows (Sequence[Sequence[Panel]]): The rows; they may have different lengths.
        title (str): A line above. Defaults to none.

    Returns:
        np.ndarray: (H, W, 3), uint8, RGB, H and W even.
    """
    lines = [max(panel.caption.count('\n') + 1 if panel.caption else 0 for panel in row) for row in rows]
    heights = [max([panel.image.shape[1] for panel in row if panel.image is not None], default=0) for row in rows]
    width = max(panel.image.shape[2] for row in rows for panel in row if panel.image is not None)
    line = FONT_SIZE + 3
    top = MARGIN + (line + MARGIN if title else 0)
    total = top + sum(count * line + height + MARGIN for count, height in zip(lines, heights))
    size = max(map(len, rows)) * (width + MARGIN) + MARGIN, total
    sheet = Image.new('RGB', tuple(side + side % 2 for side in size), GROUND)
    draw = ImageDraw.Draw(sheet)
    if title:
        _write(draw, (MARGIN, MARGIN), title, size[0] - 2 * MARGIN, FONT_SIZE + 2)
    for row, count, height in zip(rows, lines, heights):
        for k, panel in enumerate(row):
            left = MARGIN + k * (width + MARGIN)
            for number, text in enumerate(panel.caption.split('\n')):
                _write(draw, (left, top + number * line), text, width, FONT_SIZE)
            if panel.image is not None:
                pixels = panel.image.permute(1, 2, 0).numpy()  # (3, H, W) -> (H, W, 3)
                sheet.paste(Image.fromarray(pixels), (left, top + count * line))
        top += count * line + height + MARGIN
    return np.asarray(sheet)


def enlarged(image: Tensor, short_side: int = SHORT_SIDE) -> Tensor:
    """A picture (3, H, W), enlarged by the whole number that makes its shorter side long enough to be seen."""
    factor = math.ceil(short_side / min(image.shape[1:]))
    return image.repeat_interleave(factor, dim=1).repeat_interleave(factor, dim=2)


def _rows(clip: ClipFlow, frame: int, with_legend: bool = True, short_side: int = SHORT_SIDE) -> list[list[Panel]]:
    """Two rows for each layer: its tracks as colour, and over the frame; before them frame, legend and classical flow.

    Below the first layer's, the places of frame, legend and classical flow stay empty.
    """
    image, rows = enlarged(clip.frames[frame], short_side), []
    legend = flow_legend(min(image.shape[1:])) if with_legend else None
    before = [Panel(image, f'frame {frame + 1} of {len(clip.frames)}')], [Panel(legend)]
    if clip.classical is not None:
        before[0].append(colour_panel(clip, clip.classical, frame, image))
        before[1].append(_over(clip, clip.classical, frame, image))
    for tracks in clip.layers.values():
        rows.append([*before[0], *(colour_panel(clip, track, frame, image) for track in tracks)])
        rows.append([*before[1], *(_over(clip, track, frame, image) for track in tracks)])
        before = [[Panel(None)] * len(row) for row in before]
    return rows


def colour_panel(clip: ClipFlow, track: FlowTrack, frame: int, shown: Tensor) -> Panel:
    """The flow as colour, its pixels as large as they are on the frame ``shown``."""
    image = flow_to_image(track.at(frame, len(clip.frames)), track.longest)
    image = F.interpolate(image[None].float(), tuple(shown.shape[1:]), mode='nearest')[0].to(torch.uint8)
    scale = f'full colour {track.longest:.2g} px'
    return Panel(image, f'{track.title}\n{scale}')


def _over(clip: ClipFlow, track: FlowTrack, frame: int, shown: Tensor) -> Panel:
    """The flow over the frame ``shown``, as colour and arrows."""
    flow = track.at(frame, len(clip.frames))
    spacing = max(min(shown.shape[1:]) // ARROWS, 4)
    return Panel(flow_arrows(flow_overlay(shown, flow, track.longest), flow, track.longest, spacing))


def _title(title: str, clip: ClipFlow) -> str:
    scores = ', '.join(f'{name} ({percent(score)})' for name, score in clip.scores[:3])
    return ' · '.join(filter(None, (title, scores)))


def percent(share: float) -> str:
    """A share in whole percent."""
    return f'{100 * share:.0f} %'


def _write(draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, width: int, size: int) -> None:
    """Write a line, in smaller letters or with its end left out where it is too long."""
    font = ImageFont.load_default(size)
    while size > SMALLEST_FONT and draw.textlength(text, font) > width:
        size -= 1
        font = ImageFont.load_default(size)
    while len(text) > 1 and draw.textlength(text, font) > width:
        text = f'{text[:-2]}…'
    draw.text(place, text, INK, font)
