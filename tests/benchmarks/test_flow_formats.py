import cv2
import numpy as np
import pytest

from benchmarks.flow_formats import CANDIDATES, formats_table, measure_formats
from repflow_mm.datasets.motion_clips.clips import MotionClipOptions, render_clip
from repflow_mm.datasets.video_files import write_video


@pytest.fixture
def video(tmp_path):
    """19 frames of 48x48."""
    path = tmp_path / 'left.mp4'
    write_video(path, render_clip(MotionClipOptions(size=48, length=19, speed=(2, 2)), 'train', 0), fps=16)
    return path


def test_every_way_to_keep_flow(video):
    rows = measure_formats([video, video], short_side=None, repeats=2)
    assert [row['name'] for row in rows] == list(CANDIDATES)
    folder, jpeg_zip, png_zip, file = rows
    assert all((row['videos'], row['flows']) == (2, 36) for row in rows)
    # Two images a flow, a block each.
    assert folder['files'] == 2 * 36 and folder['bytes'] == 2 * 36 * 4096
    assert all(row['files'] == 2 and row['bytes'] % 4096 == 0 for row in (jpeg_zip, png_zip, file))
    # Quantisation alone, half a step of 40 / 255 pixels at most, is what a lossless form gets wrong.
    assert 0 < png_zip['error'] < png_zip['moving_error_99'] <= 20 / 255 * 1.001
    assert png_zip['error'] <= folder['error'] < 0.1 and png_zip['error'] < file['error'] < 0.25
    assert all(row['clip_seconds'] > 0 for row in rows)
    lines = formats_table(rows).splitlines()
    assert len(lines) == 6 and lines[2].startswith('| folder of JPEGs (`--format jpg`) | 36 | 8.00 | 1.0× | ')


def test_no_moving_pixel(tmp_path):
    frame = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8), (0, 0), 3)
    write_video(tmp_path / 'still.mp4', [frame] * 3, fps=8)
    rows = measure_formats([tmp_path / 'still.mp4'], short_side=None, repeats=1)
    assert rows[0]['moving_error_99'] is None and formats_table(rows).splitlines()[2].endswith('| – |')


def test_bad_video(tmp_path):
    with pytest.raises(ValueError, match='none.mp4: the file does not exist'):
        measure_formats([tmp_path / 'none.mp4'], short_side=None, repeats=1)
