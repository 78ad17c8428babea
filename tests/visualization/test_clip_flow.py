import pytest
import torch

from repflow_mm.visualization.clip_flow import ClipFlow, FlowTrack, layer_tracks, most_active


def test_the_most_active_channels_come_first():
    flow = torch.zeros(2, 5, 3, 4, 4)
    flow[0, 3], flow[1, 1] = -2, 1
    assert most_active(flow, 2) == [3, 1]


def test_tracks_are_the_mean_and_channels():
    flow = torch.randn(2, 6, 3, 4, 4)
    tracks = layer_tracks('block1.flow0', flow, channels=[4, 0])
    assert [track.title for track in tracks] == [f'block1.flow0 {name}' for name in ('mean', 'channel 4', 'channel 0')]
    assert torch.equal(tracks[0].flow, flow.mean(1)) and torch.equal(tracks[1].flow, flow[:, 4])
    named = layer_tracks('frames', flow[:, :3], most=1, names=('red', 'green', 'blue'))
    assert named[1].channel in ('red', 'green', 'blue') and len(named) == 2


def test_unknown_channel():
    with pytest.raises(ValueError, match=r'layer a has channels 0 to 5, got 6'):
        layer_tracks('a', torch.zeros(2, 6, 1, 2, 2), channels=[0, 6])


@pytest.mark.parametrize(
    ('length', 'expected'),
    [(7, [0, 1, 2, 3, 4, 5, 6]), (6, [0, 1, 2, 3, 3, 4, 5]), (1, [0] * 7), (3, [0, 0, 1, 1, 1, 2, 2])],
    ids=['each frame', 'flow of flow', 'one', 'every second frame'],
)
def test_flows_are_spread_over_the_steps_of_the_clip(length, expected):
    track = FlowTrack('a', 'mean', torch.zeros(2, length, 2, 2), 1.0)
    steps = [track.step_of(frame, num_frames=8) for frame in range(7)]
    assert steps[0] == 0 and steps[-1] == length - 1 and steps == sorted(steps)
    assert all(abs(a - b) <= 1 for a, b in zip(steps, expected))
    assert length not in (7, 1) or steps == expected


def test_scale_leaves_outliers_out():
    flow = torch.zeros(2, 10, 20, 20)
    flow[0] = torch.linspace(0, 1, 4000).reshape(10, 20, 20)
    flow[1, 0, 0, 0] = 1000
    assert FlowTrack.of('a', 'mean', flow).longest == pytest.approx(0.99, abs=0.01)


def test_a_scale_is_never_zero():
    assert FlowTrack.of('a', 'mean', torch.zeros(2, 1, 2, 2)).longest > 0


def test_layers_of_a_clip():
    tracks = [FlowTrack(name, str(k), torch.zeros(2, 1, 2, 2), 1.0) for name in 'ab' for k in range(2)]
    clip = ClipFlow(torch.zeros(4, 3, 8, 8, dtype=torch.uint8), tracks)
    assert list(clip.layers) == ['a', 'b'] and clip.layers['b'] == tracks[2:] and clip.num_steps == 3
