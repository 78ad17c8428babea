import numpy as np
import pytest
import torch
from PIL import Image

from repflow_mm.visualization import flow_legend, flow_to_image
from repflow_mm.visualization.clip_flow import ClipFlow, FlowTrack
from repflow_mm.visualization.flow_files import write_flow_files
from repflow_mm.visualization.sheets import Panel, animation, clips_sheet, compose, moments_sheet

RED, CYAN = [255, 0, 0], [0, 209, 255]


def uniform(x, layer='block1.flow0', channel='mean', length=3):
    flow = torch.zeros(2, length, 8, 8)
    flow[0] = x
    return FlowTrack(layer, channel, flow, 1.0)


@pytest.fixture
def clip():
    frames = torch.arange(4, dtype=torch.uint8)[:, None, None, None].expand(4, 3, 32, 48) * 40
    tracks = [uniform(1), uniform(-1, channel='channel 3'), uniform(-1, 'block2.flow0')]
    return ClipFlow(frames, tracks, uniform(1, 'classical', 'tvl1'), [('left', 0.75), ('right', 0.25)])


def pixels_like(image, colour):
    return int((image == np.array(colour)).all(axis=2).sum())


def test_colours_of_all_tracks_are_on_the_sheet(clip):
    sheet = moments_sheet(clip, moments=2, title='clip.mp4')
    assert sheet.dtype == np.uint8 and sheet.shape[2] == 3 and not sheet.shape[0] % 2 and not sheet.shape[1] % 2
    panel = 128 * 192  # 32x48, enlarged four times
    for colour in (RED, CYAN):
        assert 2 * 2 * panel <= pixels_like(sheet, colour) < 2 * 3 * panel


def test_a_sheet_of_a_short_clip_has_the_moments_that_there_are(clip):
    short = ClipFlow(clip.frames[:2], clip.tracks)
    assert moments_sheet(short, moments=5).shape == moments_sheet(short, moments=1).shape


def test_animation_has_a_picture_for_each_step(clip):
    frames = list(animation(clip, 'clip.mp4'))
    assert len(frames) == 3 and len({frame.shape for frame in frames}) == 1
    assert not np.array_equal(frames[0], frames[1])


def test_clips_below_each_other(clip):
    one, two = clips_sheet([('a', clip)]), clips_sheet([('a', clip), ('b', clip)], 'class')
    assert two.shape[1] == one.shape[1] and 1.9 * one.shape[0] < two.shape[0] < 2.2 * one.shape[0]


def test_long_captions_stay_in_their_panel():
    panel = Panel(torch.zeros(3, 40, 40, dtype=torch.uint8))
    sheet = compose([[panel._replace(caption='W' * 500), Panel(None), panel]])
    assert (sheet[:20, 52:90] == 255).all() and (sheet[:20, :52] != 255).any()


def test_legend_and_flow_have_the_same_colours(clip):
    legend = flow_legend(129)
    assert legend[:, 64, 128].tolist() == flow_to_image(clip.tracks[0].flow[:, 0], 1)[:, 0, 0].tolist() == RED


def test_files(clip, tmp_path):
    paths = write_flow_files(clip, tmp_path / 'new', title='clip.mp4', fps=4)
    assert [path.name for path in paths] == ['flow.png', 'flow.html', 'flow.gif', 'flow.mp4']
    assert sorted(path.name for path in (tmp_path / 'new').iterdir()) == sorted(path.name for path in paths)
    with Image.open(tmp_path / 'new' / 'flow.gif') as gif:
        assert gif.n_frames == 3 and gif.info['duration'] == 250
    assert write_flow_files(clip, tmp_path, ('png',)) == [tmp_path / 'flow.png']


def test_mp4_has_the_right_colours(clip, tmp_path):
    from repflow_mm.datasets.video_reading import read_frames

    write_flow_files(clip, tmp_path, ('mp4',))
    frames = list(read_frames(str(tmp_path / 'flow.mp4')))
    expected = list(animation(clip))
    assert len(frames) == 3 and np.abs(frames[1].astype(float) - expected[1]).mean() < 6


def test_unknown_format(clip, tmp_path):
    with pytest.raises(ValueError, match=r"formats must be any of \('png', 'html', 'gif', 'mp4'\), got 'webm'"):
        write_flow_files(clip, tmp_path, ('webm',))
