import numpy as np
import pytest

from repflow_mm.datasets.lists import list_runs
from repflow_mm.datasets.video_files import write_video


@pytest.fixture
def here(monkeypatch):
    """Have the work done in this process, where it can be watched and made to fail."""

    def run_all(work, items, jobs, timeout):
        for item in items:
            yield item, work(item, lambda: None)

    monkeypatch.setattr(list_runs, 'run_all', run_all)


@pytest.fixture
def folder(tmp_path):
    """Videos of 3, 4 and 5 frames, one path with blanks, and four bad ones, in a list."""
    (tmp_path / 'videos' / 'a b').mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(3):
        write_video(tmp_path / 'videos' / 'a b' / f'{i}.mp4', rng.integers(0, 255, (3 + i, 32, 40, 3), np.uint8), fps=8)
    whole = (tmp_path / 'videos' / 'a b' / '2.mp4').read_bytes()
    (tmp_path / 'videos' / 'empty.mp4').touch()
    (tmp_path / 'videos' / 'cut.mp4').write_bytes(whole[: len(whole) // 2])
    write_video(tmp_path / 'videos' / 'short.mp4', np.zeros((1, 32, 32, 3), np.uint8), fps=8)
    names = ('a b/0.mp4', 'empty.mp4', 'a b/1.mp4', 'none.mp4', 'short.mp4', 'cut.mp4', 'a b/2.mp4')
    (tmp_path / 'train.txt').write_text(''.join(f'{name} {label}\n' for label, name in enumerate(names)))
    return tmp_path
