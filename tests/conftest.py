import sys
from pathlib import Path

import matplotlib
import pytest

matplotlib.use('Agg')
# The benchmarks are a package beside the scripts, not a part of what is installed.
sys.path.append(str(Path(__file__).parents[1] / 'tools'))


@pytest.fixture(scope='session')
def motion_clips(tmp_path_factory):
    """Folder of tiny motion clips: 16 for training, 8 for validation, 12 frames of 32x32, eight classes."""
    from repflow_mm.datasets.motion_clips.clips import MotionClipOptions
    from repflow_mm.datasets.motion_clips.files import make_motion_clips

    folder = tmp_path_factory.mktemp('motion clips')
    make_motion_clips(folder, MotionClipOptions(train=16, val=8, size=32, length=12), jobs=1)
    return folder


@pytest.fixture(scope='session')
def motion_flow(motion_clips, tmp_path_factory):
    """Folder of the TV-L1 flow of the motion clips as ``extract_flow`` writes it: 11 flows of 32x32 each."""
    from repflow_mm.datasets.flow.extraction import FlowOptions, extract_flow

    folder = tmp_path_factory.mktemp('motion flow')
    for name in ('train.txt', 'val.txt'):
        extract_flow(motion_clips / name, folder, videos=motion_clips, options=FlowOptions(bound=5.0), jobs=1)
    return folder
