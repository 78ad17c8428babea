"""Recordings of a browser's camera, which lack what it had not written when they were stopped."""

import av
import numpy as np
import pytest

from repflow_mm.datasets.motion_clips.clips import MotionClipOptions, render_clip
from repflow_mm.datasets.video_reading import BadVideoError, read_frames
from repflow_mm.demo_app.recordings import whole_recording

FORMATS = {
    'sample.webm': ('libvpx', dict(live='1')),
    'sample.mp4': ('mpeg4', dict(movflags='frag_every_frame+empty_moov+default_base_moof')),
}


def record(path, codec, options, frames=12):
    """Write a video as a browser writes it, bit by bit."""
    with av.open(str(path), 'w', options=options) as file:
        stream = file.add_stream(codec, rate=8)
        stream.width = stream.height = 32
        for frame in render_clip(MotionClipOptions(train=1, val=1, size=32, length=frames), 'train', 0):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format='bgr24')))
        file.mux(stream.encode(None))


@pytest.mark.parametrize('name', FORMATS)
def test_a_recording_that_is_cut_off_has_the_frames_that_are_there(name, tmp_path):
    path = tmp_path / name
    record(path, *FORMATS[name])
    frames, content = list(read_frames(str(path))), path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])
    if path.suffix == '.webm':  # of fragments of mp4 nothing says how many there are
        with pytest.raises(BadVideoError):
            list(read_frames(str(path)))
    found = list(read_frames(whole_recording(path)))
    assert 4 < len(found) < len(frames) == 12
    assert all(np.array_equal(one, other) for one, other in zip(found, frames))
    assert whole_recording(path) == str(tmp_path / 'recording.mkv'), 'it is made once'
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([name, 'recording.mkv'])


def test_other_videos_stay_what_they_are(tmp_path):
    assert whole_recording(tmp_path / 'mine.webm') == str(tmp_path / 'mine.webm')
    (tmp_path / 'sample.webm').write_bytes(b'no video')
    assert whole_recording(tmp_path / 'sample.webm') == str(tmp_path / 'sample.webm')
    assert [file.name for file in tmp_path.iterdir()] == ['sample.webm']


def test_a_recording_without_pictures(tmp_path):
    path = tmp_path / 'sample.webm'
    with av.open(str(path), 'w') as file:
        stream = file.add_stream('libopus', rate=48000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 2 * 960), np.int16), format='s16', layout='stereo')
        sound.sample_rate = 48000
        file.mux(stream.encode(sound))
        file.mux(stream.encode(None))
    assert whole_recording(path) == str(path)
