import matplotlib
import pytest

matplotlib.use('Agg')


@pytest.fixture(scope='session')
def motion_clips(tmp_path_factory):
    """Folder of tiny motion clips: 16 for training, 8 for validation, 12 frames of 32x32, eight classes."""
    from repflow_mm.datasets.motion_clip_files import make_motion_clips
    from repflow_mm.datasets.motion_clips import MotionClipOptions

    folder = tmp_path_factory.mktemp('motion clips')
    make_motion_clips(folder, MotionClipOptions(train=16, val=8, size=32, length=12), jobs=1)
    return folder
