"""Strips of pictures: how the flow of clips goes on over time, beside a frame that shows no more than what it is of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from repflow_mm.visualization.clip_flow import ClipFlow, FlowTrack
from repflow_mm.visualization.flow_image import flow_legend
from repflow_mm.visualization.sheets import Panel, colour_panel, compose, percent

# Sides of a picture, and of the frame that is shown in it, in pixels; how much of white is mixed into that.
SIDE, FRAME_SIDE, WHITE = 120, 24, 0.5


def flow_strips(clips: Sequence[tuple[str, ClipFlow]], moments: int = 6, title: str = '') -> np.ndarray:
    """Clips below each other, each with the mean flow of its layers as colour at moments over its length.

    The frame beside it, the middle one, is faint and of low resolution. Behind a layer's name is the length of flow
    that has the full colour, in pixels of its grid per frame step.

    Args:
        clips (Sequence[tuple[str, ClipFlow]]): Clips with a caption.
        moments (int): How many, at most. Defaults to 6.
        title (str): A line above. Defaults to none.

    Returns:
        np.ndarray: (H, W, 3), uint8, RGB.
    """
    rows = []
    for caption, clip in clips:
        predicted = [f'predicted: {name} ({percent(score)})' for name, score in clip.scores[:1]]
        captions, image = [caption, *predicted], faint(clip.frames[len(clip.frames) // 2])
        for tracks in clip.layers.values():
            captions.append(f'{tracks[0].layer}, to {tracks[0].longest:.2g} px')
            flow = _moments(clip, tracks[0], moments, with_captions=not rows)
            rows.append([Panel(image, '\n'.join(captions)), *flow])
            captions, image = [], None
    rows[0].append(Panel(flow_legend(SIDE)))
    return compose(rows, title)


def faint(frame: Tensor) -> Tensor:
    """A frame (3, H, W), uint8, in few pixels and pale: (3, 120, 120)."""
    small = F.interpolate(frame[None].float(), (FRAME_SIDE, FRAME_SIDE), mode='area')
    large = F.interpolate(small, (SIDE, SIDE), mode='nearest')[0]
    return torch.lerp(large, torch.full_like(large, 255), WHITE).to(torch.uint8)


def _moments(clip: ClipFlow, track: FlowTrack, moments: int, with_captions: bool) -> list[Panel]:
    count = min(moments, clip.num_steps)
    frames = [round((k + 0.5) * clip.num_steps / count - 0.5) for k in range(count)]
    shown = torch.empty(3, SIDE, SIDE)
    images = [colour_panel(clip, track, frame, shown).image for frame in frames]
    return [Panel(image, f'from frame {k + 1}' if with_captions else '') for k, image in zip(frames, images)]
