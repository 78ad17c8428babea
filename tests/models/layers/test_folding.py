import pytest
import torch
from torch.testing import assert_close

from repflow_mm.models.layers.folding import average_neighbours, fold_time, repeat_last, unfold_time

N, C, T, H, W = 2, 3, 4, 5, 6


@pytest.fixture
def clips():
    return torch.arange(N * C * T * H * W, dtype=torch.float32).view(N, C, T, H, W)


def test_fold_time_keeps_the_frames_of_a_clip_together(clips):
    frames = fold_time(clips)
    assert frames.shape == (N * T, C, H, W)
    for clip in range(N):
        for t in range(T):
            assert_close(frames[clip * T + t], clips[clip, :, t])


def test_unfold_time_is_the_inverse_without_a_copy(clips):
    frames = fold_time(clips)
    assert_close(unfold_time(frames, T), clips)
    assert unfold_time(frames, T).data_ptr() == frames.data_ptr()


@pytest.mark.parametrize('window', [1, 2, 3, T])
def test_average_neighbours(clips, window):
    kept = T - window + 1
    averages = average_neighbours(clips, window)
    assert averages.shape == (N, C, kept, H, W)
    for t in range(kept):
        assert_close(averages[:, :, t], clips[:, :, t : t + window].mean(2))


def test_repeat_last(clips):
    assert_close(repeat_last(clips, T + 2), torch.cat((clips, clips[:, :, -1:], clips[:, :, -1:]), dim=2))
    assert_close(repeat_last(clips, T), clips)
