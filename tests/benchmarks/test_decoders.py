import argparse
import re

import numpy as np
import pytest

from benchmarks import decoders
from repflow_mm.testing.video_corpus import VideoFormat, make_corpus


def test_clips():
    rng = np.random.default_rng(0)
    for _ in range(20):
        sparse, dense = decoders.sparse_clip(250, rng), decoders.dense_clip(250, rng)
        assert len(sparse) == 8 and sparse == sorted(sparse) and 0 <= sparse[0] < 32 and 218 <= sparse[-1] < 250
        assert len(dense) == 32 and {b - a for a, b in zip(dense, dense[1:])} == {2} and dense[-1] < 250
    assert all(0 <= index < 40 for index in decoders.dense_clip(40, rng))


def test_right_frames(tmp_path):
    (video,) = make_corpus(tmp_path, names=['h264_b_frames.mp4'])
    assert decoders.right_frames(video.path, video.numbers, 'pyav') == dict(status='ok', right=80, asked=80)
    shifted = [number + 1 for number in video.numbers]
    assert decoders.right_frames(video.path, shifted, 'pyav')['right'] == 0


def test_tables(tmp_path, monkeypatch):
    monkeypatch.setattr(decoders, 'DECODERS', ['pyav', 'opencv'])
    monkeypatch.setattr(decoders, 'SIZE', (64, 64))
    timed = {'MPEG-4 avi': VideoFormat('mpeg4.avi', 'mpeg4'), 'AV1 mp4': VideoFormat('av1.mp4', 'libsvtav1')}
    monkeypatch.setattr(decoders, 'TIMED', timed)
    monkeypatch.setattr(decoders, 'make_corpus', lambda folder: make_corpus(folder, names=['av1.mp4', 'mpeg4.avi']))
    page = tmp_path / 'page.md'
    page.write_text('above\n<!-- decoders: begin -->\nold\n<!-- decoders: end -->\nbelow\n')
    results, text = decoders.run(argparse.Namespace(seconds=2, repeats=1, write_docs=page))
    assert results['frames'][1]['file'] == 'av1.mp4'
    assert '| mpeg4.avi | 80 of 80, in order | 80 of 80, in order |' in text
    assert '| av1.mp4 | 80 of 80 | says that it cannot |' in text
    assert '| clips a second and core | pyav, sparse | opencv, sparse | pyav, dense | opencv, dense |' in text
    assert re.search(r'\| AV1 mp4 \| [\d.]+ \| cannot \| [\d.]+ \| cannot \|', text)
    assert text in page.read_text() and page.read_text().startswith('above\n') and 'old' not in page.read_text()


def test_page_without_markers(tmp_path, monkeypatch):
    monkeypatch.setattr(decoders, 'DECODERS', ['pyav'])
    monkeypatch.setattr(decoders, 'TIMED', {})
    monkeypatch.setattr(decoders, 'make_corpus', lambda folder: [])
    (tmp_path / 'page.md').write_text('nothing\n')
    with pytest.raises(ValueError, match='must have the lines <!-- decoders: begin -->'):
        decoders.run(argparse.Namespace(seconds=1, repeats=1, write_docs=tmp_path / 'page.md'))
