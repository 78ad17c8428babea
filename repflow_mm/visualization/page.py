"""The page that shows a clip's flow: one file of HTML that needs nothing else, no network either."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from repflow_mm.visualization.clip_flow import ClipFlow, FlowTrack
from repflow_mm.visualization.flow_image import colour_wheel

TEMPLATE = Path(__file__).with_name('page.html')
# Shorter side of the flow's grid in the page, at most: on a finer one the file would be large and look the same.
FINEST_GRID = 64
JPEG_QUALITY = 88


def page_of(clip: ClipFlow, title: str = '', fps: int = 8) -> str:
    """The page of a clip: a slider of frames, a choice of layers and channels, the classical flow and the prediction.

    Args:
        clip (ClipFlow): What is shown.
        title (str): Its heading. Defaults to none.
        fps (int): Frames per second when it plays. Defaults to 8.

    Returns:
        str: HTML.
    """
    data = dict(
        fps=fps,
        size=list(clip.frames.shape[2:]),
        steps=clip.num_steps,
        frames=[_picture(frame) for frame in clip.frames],
        wheel=[[round(value, 4) for value in colour] for colour in colour_wheel().tolist()],
        tracks=[_track(track, len(clip.frames)) for track in clip.tracks],
        classical=clip.classical and _track(clip.classical, len(clip.frames)),
        scores=[[name, round(score, 4)] for name, score in clip.scores],
    )
    # Within a script element only '<' could end it.
    text = json.dumps(data).replace('<', '\\u003c')
    parts = {'{{TITLE}}': html.escape(title or 'flow'), '{{DATA}}': text}
    return re.sub('|'.join(parts), lambda match: parts[match[0]], TEMPLATE.read_text(encoding='utf-8'))


def _picture(frame: Tensor) -> str:
    """A frame (3, H, W), uint8, as the address of a picture that holds the picture."""
    file = io.BytesIO()
    Image.fromarray(frame.permute(1, 2, 0).numpy()).save(file, 'JPEG', quality=JPEG_QUALITY)  # (3, H, W) -> (H, W, 3)
    return f'data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}'


def _track(track: FlowTrack, num_frames: int) -> dict:
    """A track for the page: its flow in whole numbers, of which 127 is ``longest``, as (L, 2, h, w)."""
    grid = list(track.flow.shape[2:])
    flow = track.flow.transpose(0, 1) / track.longest  # (2, L, h, w) -> (L, 2, h, w)
    if min(grid) > FINEST_GRID:
        factor = FINEST_GRID / min(grid)
        flow = F.interpolate(flow, [round(side * factor) for side in grid], mode='bilinear', antialias=True)
    flow = flow / flow.square().sum(dim=1, keepdim=True).sqrt().clamp(min=1)
    values = (flow.nan_to_num() * 127).round().to(torch.int8).contiguous()
    return dict(
        layer=track.layer,
        channel=track.channel,
        longest=track.longest,
        grid=grid[::-1],
        size=list(flow.shape[2:]),
        steps=[track.step_of(frame, num_frames) for frame in range(num_frames)],
        data=base64.b64encode(values.numpy().tobytes()).decode(),
    )
