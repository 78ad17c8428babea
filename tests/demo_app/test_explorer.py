import numpy as np
import pytest
import torch

from repflow_mm.apis.flow_viewers import FramesViewer, SolverSettings
from repflow_mm.demo_app import limits
from repflow_mm.demo_app.__main__ import find_clips, make_clips, make_explorer, parse_args
from repflow_mm.demo_app.explorer import Explorer

OWN = SolverSettings()


@pytest.fixture
def explorer():
    return Explorer([FramesViewer(short_side=32, num_frames=5, num_iters=10)], method='dis')


@pytest.fixture(scope='module')
def video(motion_clips):
    return str(sorted((motion_clips / 'train').glob('left_*'))[0])


def test_settings_channels_and_frames_change_the_picture(explorer, video):
    first = explorer.shoot(video, 'frames', 'mean', 0, OWN)
    assert first.num_steps == 4 and first.scores == {} and first.picture.dtype == np.uint8
    others = [
        explorer.shoot(video, 'frames', 'mean', 0, SolverSettings(num_iters=1)),
        explorer.shoot(video, 'frames', 'mean', 0, SolverSettings(theta=0.9)),
        explorer.shoot(video, 'frames', 'mean', 0, SolverSettings(lam=0.9)),
        explorer.shoot(video, 'frames', 'green', 0, OWN),
        explorer.shoot(video, 'frames', 'mean', 2, OWN),
    ]
    pictures = [first.picture, *(other.picture for other in others)]
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)
    assert np.array_equal(explorer.shoot(video, 'frames', 'mean', 0, OWN).picture, first.picture)


def test_a_frame_beyond_the_last_is_the_last(explorer, video):
    last, beyond = (explorer.shoot(video, 'frames', 'mean', frame, OWN).picture for frame in (3, 100))
    assert np.array_equal(last, beyond)


def test_the_most_active_channel_is_one_of_them(explorer, video):
    assert explorer.channels('frames') == ['mean', 'most active', 'red', 'green', 'blue']
    active = explorer.shoot(video, 'frames', 'most active', 0, OWN).picture
    assert any(
        np.array_equal(active, explorer.shoot(video, 'frames', name, 0, OWN).picture)
        for name in ('red', 'green', 'blue')
    )


def test_turning_over_channels_solves_once(explorer, video, monkeypatch):
    calls = []
    see = FramesViewer.see
    monkeypatch.setattr(FramesViewer, 'see', lambda self, path: calls.append(path) or see(self, path))
    for channel in ('red', 'green', 'blue'):
        explorer.shoot(video, 'frames', channel, 1, explorer.settings('frames'))
    assert len(calls) == 1


def test_settings_are_the_layers_own(explorer):
    settings = explorer.settings('frames')
    assert settings.num_iters == 10
    assert (settings.theta, settings.lam, settings.tau) == pytest.approx((0.3, 0.15, 0.25))


@pytest.mark.parametrize(
    ('place', 'channel', 'message'),
    [
        ('block1.flow0', 'mean', r"place must be one of \['frames'\], got 'block1.flow0'"),
        ('frames', 'alpha', r"channel must be one of \['mean', .* got 'alpha'"),
    ],
)
def test_unknown_names(explorer, video, place, channel, message):
    with pytest.raises(ValueError, match=message):
        explorer.shoot(video, place, channel, 0, OWN)


@pytest.mark.parametrize(
    ('limit', 'message'),
    [
        ('MOST_BYTES', r'left_.* has \d+ bytes; the app takes 8 at most'),
        ('MOST_FRAMES', 'has more than 8 frames, which is the most that the app takes'),
        ('LONGEST_SIDE', 'has pictures of 32x32; the app takes sides of 8 at most'),
    ],
)
def test_limits(explorer, video, monkeypatch, limit, message):
    limits.check_video(video)
    monkeypatch.setattr(limits, limit, 8)
    with pytest.raises(ValueError, match=message):
        explorer.shoot(video, 'frames', 'mean', 0, OWN)


def test_what_is_no_video(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'^video none.mp4 does not exist$'):
        limits.check_video(tmp_path / 'none.mp4')
    (tmp_path / 'text.mp4').write_text('no video')
    with pytest.raises(ValueError, match=r'^text.mp4 is no video that can be read'):
        limits.check_video(tmp_path / 'text.mp4')


def test_exactly_the_most_frames_are_taken(video, monkeypatch):
    monkeypatch.setattr(limits, 'MOST_FRAMES', 12)
    limits.check_video(video)


def test_clips_of_a_folder(motion_clips, tmp_path):
    assert len(find_clips(motion_clips / 'val')) == 8
    with pytest.raises(ValueError, match='holds no video'):
        find_clips(tmp_path)


def test_clips_that_are_made(tmp_path):
    clips = make_clips(tmp_path / 'clips')
    assert {'left', 'right', 'zoom in', 'clockwise'} <= set(clips) and len(clips) == 8


def test_config_without_checkpoint():
    with pytest.raises(ValueError, match='--config and --checkpoint go together'):
        make_explorer(parse_args(['--config', 'a.py']))


def test_only_this_machine_by_default():
    assert parse_args([]).host == '127.0.0.1'


def test_the_network_comes_first(motion_clips, tmp_path, video):
    from mmaction.registry import MODELS
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    config = 'configs/demo/repflow_r18_motion_clips.py'
    init_default_scope('mmaction')
    torch.save(MODELS.build(Config.fromfile(config).model).state_dict(), tmp_path / 'a.pth')
    explorer = make_explorer(parse_args(['--config', config, '--checkpoint', str(tmp_path / 'a.pth')]))
    assert explorer.places == ['block1.flow0', 'frames'] and len(explorer.channels('block1.flow0')) == 2 + 16
    shots = [explorer.shoot(video, 'block1.flow0', 'mean', 0, SolverSettings(num_iters=k)) for k in (1, 20)]
    assert len(shots[0].scores) == 5 and shots[0].scores != shots[1].scores, 'the prediction follows the settings'
