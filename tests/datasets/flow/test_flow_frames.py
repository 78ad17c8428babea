import cv2
import numpy as np
import pytest

from repflow_mm.datasets.flow.frames import (
    dequantize_flow,
    quantize_flow,
    readable_width,
    write_flow_file,
    write_flow_folder,
)
from repflow_mm.datasets.transforms import FlowFileDecode


def smooth_levels(n, height, width):
    """Flows (n, 2, H, W) of which x and y differ, and change from flow to flow."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    flows = [(60 + 100 * x + 5 * i, 180 - 90 * y - 3 * i) for i in range(n)]
    return np.rint(flows).astype(np.uint8)


def read_file(path, indices, total):
    results = dict(frame_dir=str(path), total_frames=total, start_index=1, frame_inds=np.array(indices))
    return np.stack(FlowFileDecode()(results)['imgs']).transpose(0, 3, 1, 2)  # (n, H, W, 2) -> (n, 2, H, W)


def test_levels():
    u = np.array([-25, -20, -0.01, 0, 10, 20, 1e9], np.float32)
    # (10 + 20) / 40 * 255 = 191.25; zero is 127.5, which rounds to even.
    assert quantize_flow(u, bound=20).tolist() == [0, 0, 127, 128, 191, 255, 255]
    assert dequantize_flow(np.array([0, 51, 255], np.uint8), bound=20).tolist() == [-20, -12, 20]


@pytest.mark.parametrize('bound', [1.5, 20, 32])
def test_levels_are_half_a_step_off_at_most(bound):
    u = np.random.default_rng(0).uniform(-bound, bound, 1000).astype(np.float32)
    error = abs(dequantize_flow(quantize_flow(u, bound), bound) - u)
    assert error.max() <= bound / 255 * 1.001


def test_folder_of_images(tmp_path):
    levels = smooth_levels(3, 24, 35)
    assert write_flow_folder(tmp_path / 'clip', levels) == 3
    names = [f'{component}_{number:05d}.jpg' for component in 'xy' for number in (1, 2, 3)]
    assert sorted(path.name for path in (tmp_path / 'clip').iterdir()) == names
    for number, flow in enumerate(levels, start=1):
        for component, expected in zip('xy', flow):
            image = cv2.imread(str(tmp_path / 'clip' / f'{component}_{number:05d}.jpg'), cv2.IMREAD_UNCHANGED)
            assert image.shape == (24, 35) and abs(image.astype(int) - expected).max() <= 4


@pytest.mark.parametrize('width', [36, 64, 171])
def test_file_at_any_place(tmp_path, width):
    levels = smooth_levels(40, 50, width)
    assert write_flow_file(tmp_path / 'clip.mp4', levels) == 40
    for indices in (range(1, 41), (40, 13, 13, 27), (5,)):
        read = read_file(tmp_path / 'clip.mp4', indices, 40)
        expected = levels[np.array(indices) - 1]
        assert read.shape == (len(indices), 2, 50, readable_width(width))
        error = read[..., :width].astype(int) - expected
        assert abs(error).mean() < 1 and abs(error.mean()) < 0.5
        # The codec blurs the seam of x and y.
        assert abs(error[:, :, 6:-6]).max() <= 6 and abs(error).max() <= 15


def test_file_gives_back_levels(tmp_path):
    levels = np.repeat(np.arange(256, dtype=np.uint8), 2)[:, None, None, None] * np.ones((2, 16, 32), np.uint8)
    write_flow_file(tmp_path / 'clip.mp4', levels)
    error = read_file(tmp_path / 'clip.mp4', range(2, 513, 2), 512).astype(int) - levels[1::2]
    assert abs(error).max() <= 2 and abs(error).mean() < 0.2
    # The levels on both sides of zero motion, which are most of every flow, become one.
    assert not error[128].any() and error[127].min() == 1


@pytest.mark.parametrize('width', [16, 23, 24, 47, 48, 72])
def test_widths_that_decord_cannot_read(tmp_path, width):
    """Rows are padded by copies of the last column until it can."""
    levels = smooth_levels(3, 32, width)
    write_flow_file(tmp_path / 'clip.mp4', levels)
    read = read_file(tmp_path / 'clip.mp4', (1, 2, 3), 3).astype(int)
    assert width < read.shape[3] <= width + 3
    assert abs(read[..., :width] - levels).mean() < 1.5
    assert abs(read[..., width:] - levels[..., -1:]).mean() < 2


def test_unwritable_file(tmp_path):
    with pytest.raises(OSError, match='cannot write .*clip.mp4'):
        write_flow_file(tmp_path / 'nowhere' / 'clip.mp4', smooth_levels(2, 16, 16))
