import numpy as np
import torch

from repflow_mm.visualization.clip_flow import ClipFlow, FlowTrack
from repflow_mm.visualization.strips import SIDE, faint, flow_strips

RED, CYAN = [255, 0, 0], [0, 209, 255]


def track(layer, x):
    flow = torch.zeros(2, 3, 6, 6)
    flow[0] = x
    return FlowTrack(layer, 'mean', flow, 1.0)


def count(image, colour):
    return int((image == np.array(colour)).all(axis=2).sum())


def test_layers_of_clips_below_each_other_at_moments():
    frames = torch.full((4, 3, 48, 48), 255, dtype=torch.uint8)
    clip = ClipFlow(frames, [track('first', 1.0), track('second', -1.0)], scores=[('left', 0.5)])
    sheet = flow_strips([('one', clip), ('other', ClipFlow(frames, [track('first', 1.0)]))], moments=2)
    # Two clips have the layer that sees motion to the right, and the legend has a few pixels of it.
    assert 4 * SIDE**2 <= count(sheet, RED) < 4.1 * SIDE**2
    assert 2 * SIDE**2 <= count(sheet, CYAN) < 2.1 * SIDE**2
    assert sheet.shape[1] >= 4 * SIDE


def test_a_faint_frame_has_large_pale_pixels():
    frame = (torch.rand(3, 96, 96, generator=torch.Generator().manual_seed(0)) * 255).to(torch.uint8)
    shown = faint(frame)
    assert shown.shape == (3, SIDE, SIDE) and shown.min() >= 127
    blocks = shown.unfold(1, 5, 5).unfold(2, 5, 5).flatten(3)  # (3, 24, 24, 25)
    assert (blocks == blocks[..., :1]).all()
