import numpy as np
import pytest

from repflow_mm.datasets.flow.video_flow import video_flow
from repflow_mm.datasets.motion_clips.clips import MotionClipOptions, render_clip
from repflow_mm.datasets.video_files import write_video
from repflow_mm.datasets.video_reading import BadVideoError
from repflow_mm.ops.tvl1_parameters import TVL1Parameters

FAST = TVL1Parameters(num_scales=3, num_warps=2, outer_iters=2)


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    """A texture that moves to the right by 1.5 pixels a frame: 8 frames of 48x48, a width that decord trips over."""
    path = tmp_path_factory.mktemp('video') / 'right.mp4'
    write_video(path, render_clip(MotionClipOptions(size=48, length=8, speed=(1.5, 1.5)), 'train', 1), fps=16)
    return str(path)


def flow_of(*arguments):
    return np.concatenate(list(video_flow(*arguments)))


def test_flow_from_every_frame_to_the_next(video):
    u = flow_of(video, None, 'tvl1', FAST)
    assert u.shape == (7, 2, 48, 48) and u.dtype == np.float32
    inner = u[:, :, 8:-8, 8:-8]
    assert np.allclose(inner.mean(axis=(2, 3)), (1.5, 0), atol=0.2)


def test_batches_do_not_show(video):
    whole = flow_of(video, None, 'tvl1', FAST, 16)
    for batch in (1, 3, 7):
        runs = list(video_flow(video, None, 'tvl1', FAST, batch))
        assert all(len(run) == batch for run in runs[:-1]) and 0 < len(runs[-1]) <= batch
        assert np.array_equal(np.concatenate(runs), whole)


@pytest.mark.parametrize(('size', 'short_side', 'expected'), [((30, 40), 24, (24, 32)), ((64, 32), 48, (96, 48))])
def test_short_side(tmp_path, size, short_side, expected):
    write_video(tmp_path / 'a.mp4', np.random.default_rng(0).integers(0, 255, (3, *size, 3), dtype=np.uint8), fps=8)
    assert flow_of(str(tmp_path / 'a.mp4'), short_side, 'tvl1', FAST).shape == (2, 2, *expected)


def test_displacements_are_in_pixels_of_the_resized_frames(video):
    u = flow_of(video, 96, 'tvl1', FAST)
    assert np.median(u[:, 0]) == pytest.approx(3, abs=0.4)


def test_one_frame(tmp_path):
    write_video(tmp_path / 'a.mp4', np.zeros((1, 32, 32, 3), np.uint8), fps=8)
    with pytest.raises(BadVideoError, match='the video has 1 frame; flow needs 2') as error:
        flow_of(str(tmp_path / 'a.mp4'), None, 'tvl1', FAST)
    assert error.value.status == 'short'
