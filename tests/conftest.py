import gc
import multiprocessing
import sys
from pathlib import Path

import matplotlib
import pytest

matplotlib.use('Agg')
# The benchmarks are a package beside the scripts, not a part of what is installed.
sys.path.append(str(Path(__file__).parents[1] / 'tools'))


def pytest_collection_finish():
    """Leave what the modules hold out of garbage collections: each data set asks for a whole one, of most of a second.

    All modules of tests are imported by then, and with them torch and MMAction2.
    """
    gc.collect()
    gc.freeze()


def pytest_runtest_teardown():
    """End what a test has left of data workers, as the end of a process does.

    Left to the garbage collector, which may close the queue that tells them to end first, each takes five seconds.
    """
    if multiprocessing.active_children():
        from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

        for iterator in [thing for thing in gc.get_objects() if type(thing) is _MultiProcessingDataLoaderIter]:
            iterator._shutdown_workers()


@pytest.fixture(scope='session')
def motion_clips(tmp_path_factory):
    """Folder of tiny motion clips: 16 for training, 8 for validation, 12 frames of 32x32, eight classes."""
    from repflow_mm.datasets.motion_clips.clips import MotionClipOptions
    from repflow_mm.datasets.motion_clips.files import make_motion_clips

    folder = tmp_path_factory.mktemp('motion clips')
    make_motion_clips(folder, MotionClipOptions(train=16, val=8, size=32, length=12), jobs=1)
    return folder


@pytest.fixture(scope='session')
def motion_frames(motion_clips, tmp_path_factory):
    """Folder of the first two motion clips of each list as folders of frames, ``00001.jpg`` and so on."""
    import cv2

    folder = tmp_path_factory.mktemp('motion frames')
    for name in ('train.txt', 'val.txt'):
        lines = []
        for line in (motion_clips / name).read_text().splitlines()[:2]:
            path, label = line.rsplit(' ', 1)
            clip = folder / Path(path).with_suffix('')
            clip.mkdir(parents=True)
            video, number = cv2.VideoCapture(str(motion_clips / path)), 0
            while (frame := video.read()[1]) is not None:
                number += 1
                cv2.imwrite(str(clip / f'{number:05}.jpg'), frame)
            lines.append(f'{clip.relative_to(folder)} {number} {label}\n')
        (folder / name).write_text(''.join(lines))
    return folder


@pytest.fixture(scope='session')
def motion_flow(motion_clips, tmp_path_factory):
    """Folder of the TV-L1 flow of the motion clips as ``extract_flow`` writes it: 11 flows of 32x32 each."""
    from repflow_mm.datasets.flow.extraction import FlowOptions, extract_flow

    folder = tmp_path_factory.mktemp('motion flow')
    for name in ('train.txt', 'val.txt'):
        extract_flow(motion_clips / name, folder, videos=motion_clips, options=FlowOptions(bound=5.0), jobs=1)
    return folder


@pytest.fixture(scope='session')
def video_corpus(tmp_path_factory):
    """Every file of the corpus of good, odd and damaged videos; they are only read."""
    from repflow_mm.testing.video_corpus import make_corpus

    return make_corpus(tmp_path_factory.mktemp('video corpus'))
