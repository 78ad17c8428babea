import json

import cv2
import numpy as np
import pytest
import torch
from helpers import ROOT

from repflow_mm.apis.infer import main, parse_args
from repflow_mm.apis.predictions import Windows, clip_span, predict_stream, predict_windows, sampler_of
from repflow_mm.apis.recognizer import load_recognizer
from repflow_mm.apis.videos import find_videos
from repflow_mm.datasets.video_files import write_video
from repflow_mm.datasets.video_reading import open_video

CONFIG = ROOT / 'configs' / 'demo' / 'repflow_r18_motion_clips.py'


@pytest.fixture(scope='module')
def setting(motion_clips, tmp_path_factory):
    """A recognizer with random weights, its checkpoint, and a video of 24 frames: two motion clips in a row."""
    folder = tmp_path_factory.mktemp('infer')
    torch.manual_seed(0)
    recognizer = load_recognizer(CONFIG, device='cpu')
    torch.nn.init.normal_(recognizer.model.cls_head.fc_cls.weight, std=0.5)
    torch.save(dict(state_dict=recognizer.model.state_dict()), folder / 'model.pth')
    clips = [open_video(str(motion_clips / 'train' / f'{name}_00000.mp4')).frames() for name in ('left', 'zoom_in')]
    (folder / 'videos' / 'inner').mkdir(parents=True)
    write_video(folder / 'videos' / 'long.mp4', (frame[..., ::-1] for clip in clips for frame in clip), fps=8)
    write_video(folder / 'videos' / 'inner' / 'long.mp4', iter([np.full((32, 32, 3), 90, np.uint8)] * 12), fps=8)
    return recognizer, folder


def run(setting, source, *flags):
    _, folder = setting
    return main([str(source), str(CONFIG), str(folder / 'model.pth'), '--device', 'cpu', *map(str, flags)])


def test_a_folder_with_tables_and_a_bad_video(setting, tmp_path, capsys):
    _, folder = setting
    for name in ('long.mp4', 'inner/long.mp4'):
        (tmp_path / 'v' / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / 'v' / name).write_bytes((folder / 'videos' / name).read_bytes())
    (tmp_path / 'v' / 'bad.mp4').write_bytes(b'\x00' * 100)
    (tmp_path / 'names.txt').write_text('\n'.join(f'motion {k}' for k in range(8)))
    out = tmp_path / 'o.json', tmp_path / 'o.csv'
    flags = ['--json', out[0], '--csv', out[1], '--top', 2, '--classes', tmp_path / 'names.txt', '--batch-size', 3]
    assert run(setting, tmp_path / 'v', *flags) == 1
    shown = capsys.readouterr()
    assert 'bad.mp4' in shown.err and shown.out.count('motion ') == 4
    found = json.loads(out[0].read_text())
    names = [row['video'] for row in found['predictions']]
    assert names == [str(tmp_path / 'v' / name) for name in ('inner/long.mp4', 'long.mp4')]
    assert list(found['failed']) == [str(tmp_path / 'v' / 'bad.mp4')]
    for row in found['predictions']:
        assert sum(row['scores']) == pytest.approx(1) and row['start'] == 0
        assert row['top'][0]['score'] == max(row['scores']) and row['top'][0]['name'].startswith('motion ')
    lines = out[1].read_text().splitlines()
    assert lines[0] == 'video,start,end,rank,label,name,score' and len(lines) == 5
    assert found['predictions'][1]['end'] == pytest.approx(24 / 8)


def test_windows_are_the_clips_of_their_frames(setting):
    recognizer, folder = setting
    video = folder / 'videos' / 'long.mp4'
    predictions = list(predict_windows(recognizer, video, Windows(8, 8), batch_size=2))
    assert [(p.start, p.end) for p in predictions] == [(0, 1), (1, 2), (2, 3)]
    frames = list(open_video(str(video)).frames())
    for number, prediction in enumerate(predictions):
        clip = np.stack(frames[8 * number : 8 * number + 8])  # (T, H, W, C)
        inputs = torch.from_numpy(clip).permute(3, 0, 1, 2)[None]  # -> (1, C, T, H, W)
        sample = recognizer.pipeline()(recognizer.sample(filename=str(video)))
        (scores,) = recognizer.scores([dict(sample, inputs=inputs)])
        assert np.abs(scores.numpy() - prediction.scores).max() <= 1e-6
    assert np.abs(predictions[0].scores - predictions[2].scores).max() > 1e-3


def test_a_stream_gives_what_the_windows_give(setting):
    recognizer, folder = setting
    video = folder / 'videos' / 'long.mp4'
    expected = list(predict_windows(recognizer, video, Windows(8, 4)))
    found = list(predict_stream(recognizer, open_video(str(video)).frames(), 8.0, Windows(8, 4)))
    assert [(p.start, p.end) for p in found] == [(p.start, p.end) for p in expected]
    for one, other in zip(found, expected):
        assert np.abs(one.scores - other.scores).max() <= 1e-6


def test_files_of_a_video(setting, tmp_path):
    _, folder = setting
    flags = ['--window', 8, '--stride', 4, '--annotate', tmp_path / 'a', '--timeline', tmp_path / 't']
    assert run(setting, folder / 'videos' / 'long.mp4', *flags) == 0
    frames = list(open_video(str(tmp_path / 'a' / 'long.mp4')).frames())
    original = list(open_video(str(folder / 'videos' / 'long.mp4')).frames())
    assert len(frames) == 24
    assert np.abs(frames[0].astype(int) - original[0]).max() > 50, 'there is text in the frames'
    picture = cv2.imread(str(tmp_path / 't' / 'long.png'))
    assert picture.shape[1] > 500 and picture.std() > 1


@pytest.mark.parametrize(('kind', 'shape'), [('pooled', (3, 128)), ('maps', (3, 128, 7, 4, 4))])
def test_features_of_a_list_with_its_root(setting, tmp_path, kind, shape):
    _, folder = setting
    (tmp_path / 'list.txt').write_text('long.mp4 0\ninner/long.mp4 1\n')
    flags = ['--video-root', folder / 'videos', '--features', kind, '--features-dir', tmp_path / 'f', '--stride', 8]
    assert run(setting, tmp_path / 'list.txt', *flags) == 0
    assert sorted(path.name for path in (tmp_path / 'f').iterdir()) == ['inner_long.npz', 'long.npz']
    with np.load(tmp_path / 'f' / 'long.npz') as content:
        assert content['features'].shape == shape and content['features'].std() > 0
        assert content['starts'].tolist() == [0, 1, 2] and content['ends'].tolist() == [1, 2, 3]


class Camera:
    """A camera as OpenCV has it, which shows a video; at its end it is unplugged, or Ctrl-C is pressed."""

    def __init__(self, video, ends_by_interrupt):
        self.video, self.ends_by_interrupt = cv2.VideoCapture(str(video)), ends_by_interrupt

    def isOpened(self):
        return self.video.isOpened()

    def get(self, what):
        return 8.0 if what == cv2.CAP_PROP_FPS else 0.0

    def read(self):
        has_frame, frame = self.video.read()
        if not has_frame and self.ends_by_interrupt:
            raise KeyboardInterrupt
        return has_frame, frame

    def release(self):
        self.video.release()


@pytest.mark.parametrize(
    ('flags', 'by_interrupt', 'starts'),
    [([], False, [0, 1, 2]), ([], True, [0, 1, 2]), (['--seconds', '2.5'], True, [0, 1])],
    ids=['unplugged', 'interrupted', 'for-a-time'],
)
def test_camera(setting, tmp_path, monkeypatch, capsys, flags, by_interrupt, starts):
    recognizer, folder = setting
    camera = Camera(folder / 'videos' / 'long.mp4', by_interrupt)
    numbers = []
    monkeypatch.setattr('repflow_mm.apis.infer.cv2.VideoCapture', lambda number: numbers.append(number) or camera)
    assert run(setting, '3', '--stride', 8, '--json', tmp_path / 'o.json', *flags) == 0
    shown, found = capsys.readouterr().out, json.loads((tmp_path / 'o.json').read_text())
    assert numbers == [3] and not camera.isOpened(), 'it is released'
    assert [row['start'] for row in found['predictions']] == starts and shown.count('camera 3 ') == len(starts)
    frames = open_video(str(folder / 'videos' / 'long.mp4')).frames()
    for row, expected in zip(found['predictions'], predict_stream(recognizer, frames, 8.0, Windows(8, 8))):
        assert np.abs(np.array(row['scores']) - expected.scores).max() <= 1e-5


def test_windows_reach_the_end():
    sampler = dict(type='SampleFrames', clip_len=8, frame_interval=2)
    assert Windows().places(40, sampler) == [(0, 16), (8, 16), (16, 16), (24, 16)]
    assert Windows(16, 16).places(40, sampler) == [(0, 16), (16, 16), (24, 16)]
    assert Windows().places(5, sampler) == [(0, 5)], 'a short video is one window'


def test_wrong_arguments(setting, tmp_path):
    with pytest.raises(ValueError, match='^stride of a window must be >= 1 frame, got 0$'):
        Windows(stride=0)
    with pytest.raises(ValueError, match='takes frames from the whole video: give the windows.* --window$'):
        clip_span(dict(type='SampleFrames', clip_len=1, num_clips=8))
    with pytest.raises(ValueError, match='the test pipeline must have one of .*SampleFrames.*, got .*Flip'):
        sampler_of([dict(type='Flip')])
    for source, message in (('/none.mp4', 'does not exist'), (tmp_path, 'holds no video'), ('7', 'camera 7 cannot be')):
        with pytest.raises(SystemExit, match=f'^error: .*{message}'):
            run(setting, source)
    (tmp_path / 'list.txt').write_text('none.mp4 0\n')
    with pytest.raises(FileNotFoundError, match='list.txt names .*none.mp4, which does not exist; --video-root says'):
        find_videos(tmp_path / 'list.txt')
    (tmp_path / 'list.txt').write_text('../a.mp4 0\n')
    with pytest.raises(ValueError, match=r"list.txt, line 1: '../a.mp4' lies outside of the folder"):
        find_videos(tmp_path / 'list.txt')
    with pytest.raises(FileNotFoundError, match='list.txt names .*a.mp4, which does not exist'):
        find_videos(tmp_path / 'list.txt', allow_outside=True)
    (tmp_path / 'names.txt').write_text('a\nb\n')
    with pytest.raises(ValueError, match='names.txt has 2 names of classes, but the head has 8 classes'):
        load_recognizer(CONFIG, device='cpu', class_names=tmp_path / 'names.txt')
    with pytest.raises(SystemExit):
        parse_args(['a', 'b', 'c', '--top', '0'])
