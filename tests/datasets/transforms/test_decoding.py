import shutil

import cv2
import numpy as np
import pytest
from mmaction.registry import TRANSFORMS
from mmengine.dataset import Compose, pseudo_collate
from mmengine.fileio import FileClient, HardDiskBackend
from torch.utils.data import DataLoader

from repflow_mm.datasets import CheckedVideoDataset, VideoDecode, VideoInit
from repflow_mm.datasets.flow.video_flow import video_flow
from repflow_mm.datasets.motion_clips.clips import MotionClipOptions, render_clip
from repflow_mm.datasets.video_files import write_video
from repflow_mm.datasets.video_reading import GOOD_STATUSES, BadVideoError, check_video
from repflow_mm.testing.video_corpus import picture_number

PIPELINE = [
    dict(type='mmaction.VideoInit'),
    dict(type='mmaction.SampleFrames', clip_len=8, frame_interval=1, num_clips=1, test_mode=True),
    dict(type='mmaction.VideoDecode'),
]


def decode(path):
    return Compose(PIPELINE)(dict(filename=str(path), start_index=0, modality='RGB', label=0))


@pytest.fixture
def video(motion_clips, tmp_path):
    """A video whose path has spaces."""
    return shutil.copy(next(motion_clips.glob('val/*.mp4')), tmp_path / 'a video (1).mp4')


def corrupt_videos(video):
    """Damaged copies by what happened to them."""
    data = video.read_bytes()
    damaged = {
        'empty': b'',
        'garbage': bytes(range(256)) * 20,
        'text': b'<html>404</html>',
        'truncated': data[: len(data) // 2],
        'header': data[:40],
        'noise': data[:48] + bytes(len(data) - 48),
    }
    for name, content in damaged.items():
        path = video.with_name(f'{name}.mp4')
        path.write_bytes(content)
        yield name, path


def test_whole_video(video):
    results = decode(video)
    assert len(results['imgs']) == 8
    assert results['imgs'][0].shape == (32, 32, 3)
    assert results['total_frames'] == 12


def test_part_of_a_video(video):
    def decode_part(offset, total_frames):
        part = dict(offset=offset, total_frames=total_frames)
        return Compose(PIPELINE)(dict(filename=str(video), start_index=0, modality='RGB', label=0, **part))

    whole = Compose([VideoInit(), lambda results: dict(results, frame_inds=np.arange(12)), VideoDecode()])
    frames = whole(dict(filename=str(video)))['imgs']
    results = decode_part(4, 8)
    assert results['total_frames'] == 8
    np.testing.assert_array_equal(results['imgs'], frames[4:])
    # Eight frames of a part of two: it begins again at its own first one.
    np.testing.assert_array_equal(decode_part(1, 2)['imgs'], 4 * frames[1:3])
    with pytest.raises(
        ValueError, match=r'cannot be read: offset \+ total_frames is 13, the video has 12 frames'
    ) as error:
        decode_part(5, 8)
    assert error.value.status == 'short'


def test_part_before_the_damage_of_a_video(video):
    """A video of KTH's archive is cut short; it is decoded from its start, but not beyond a part."""
    frames = [np.full((32, 32, 3), 20 * number, np.uint8) for number in range(12)]
    path = video.with_name('cut.avi')
    write_video(path, frames, fps=25)
    path.write_bytes(path.read_bytes()[: path.read_bytes().index(b'idx1') - 10])

    def decode_part(offset, total_frames):
        part = dict(filename=str(path), offset=offset, total_frames=total_frames)
        return Compose(PIPELINE)(dict(start_index=0, modality='RGB', label=0, **part))['imgs']

    assert [round(image.mean() / 20) for image in decode_part(2, 8)] == list(range(2, 10))
    with pytest.raises(ValueError, match='cut.avi .* cannot be read: the packet at byte'):
        decode_part(4, 8)


def test_missing_video(tmp_path):
    with pytest.raises(FileNotFoundError, match=f'video {tmp_path}/none.mp4 does not exist'):
        decode(tmp_path / 'none.mp4')


def test_folder_for_a_video(tmp_path):
    with pytest.raises((ValueError, FileNotFoundError), match=f'video {tmp_path} '):
        decode(tmp_path)


def test_corrupt_videos_are_named(video):
    for name, path in corrupt_videos(video):
        with pytest.raises(ValueError, match=rf'video {path} \(\d+ bytes\) cannot be read: .+') as error:
            decode(path)
        assert '\n' not in str(error.value), name
        assert f'({path.stat().st_size} bytes)' in str(error.value)


def test_damage_within_the_stream(video):
    """Frames that fail only when they are decoded: the index at the file's end is whole, the pictures are not."""
    data = bytearray(video.read_bytes())
    start = data.index(b'mdat') + 4
    end = data.index(b'moov') if b'moov' in data[start:] else len(data)
    data[start : end - 8] = bytes(end - 8 - start)
    video.write_bytes(data)
    with pytest.raises(ValueError, match=r'video .*a video \(1\)\.mp4 .*cannot be read: .+'):
        decode(video)


def test_worker_of_a_data_loader_names_the_video(video, tmp_path):
    (tmp_path / 'garbage.mp4').write_bytes(b'\x00' * 1000)
    (tmp_path / 'list.txt').write_text(f'{video.name} 0\ngarbage.mp4 1\n')
    dataset = CheckedVideoDataset(
        ann_file=str(tmp_path / 'list.txt'), data_prefix=dict(video=str(tmp_path)), pipeline=PIPELINE
    )
    batches = iter(DataLoader(dataset, num_workers=1, collate_fn=pseudo_collate))
    assert len(next(batches)['imgs']) == 8
    with pytest.raises(ValueError, match=r'garbage\.mp4 \(1000 bytes\) cannot be read'):
        next(batches)


@pytest.mark.parametrize('width', [16, 48, 64, 72])
def test_every_width_decodes(width, tmp_path):
    frames = render_clip(MotionClipOptions(size=72, length=8), 'train', 0)[:, :, :width]
    write_video(tmp_path / 'clip.mp4', frames, fps=16)
    reader = cv2.VideoCapture(str(tmp_path / 'clip.mp4'))
    expected = [cv2.cvtColor(reader.read()[1], cv2.COLOR_BGR2RGB) for _ in range(8)]
    results = decode(tmp_path / 'clip.mp4')
    assert results['img_shape'] == (72, width)
    difference = np.abs(np.stack(results['imgs']).astype(int) - np.stack(expected))
    assert difference.mean() < 1  # the two convert colours with different rounding


def status_of(read):
    """What reading raises, as the status that the check would give; ``'good'`` if it raises nothing."""
    try:
        read()
    except BadVideoError as error:
        return error.status
    return 'good'


def test_check_extraction_and_training_agree_on_every_file(video_corpus):
    test_mode = dict(clip_len=1, frame_interval=1, test_mode=True)
    for video in video_corpus:
        checked = check_video(str(video.path))
        expected = 'good' if checked['status'] in GOOD_STATUSES else checked['status']
        sample = dict(filename=str(video.path), start_index=0, modality='RGB')

        def train(sample=sample):
            # Every frame of the video, each a clip.
            opened = VideoInit()(sample)
            count = opened['total_frames']
            sampled = Compose([dict(type='mmaction.SampleFrames', num_clips=count, **test_mode)])(opened)
            return VideoDecode()(sampled)

        assert status_of(train) == expected, (video.path.name, checked)
        extracted = status_of(lambda path=video.path: list(video_flow(str(path), None, 'farneback')))
        assert extracted == expected or (expected == 'good' and extracted in ('short', 'small')), video.path.name
        if video.is_good:
            results = train()
            assert tuple(map(picture_number, results['imgs'])) == video.numbers, video.path.name
            assert results['total_frames'] == checked['frames'] and results['img_shape'] == video.size


def test_names_of_version_0_1():
    for old, new in (('CheckedDecordInit', VideoInit), ('CheckedDecordDecode', VideoDecode)):
        assert type(TRANSFORMS.build(dict(type=f'mmaction.{old}'))) is new


def test_decoder_by_config_and_by_environment(video, monkeypatch):
    sample = dict(filename=str(video), start_index=0, modality='RGB')
    assert type(VideoInit()(sample)['video_reader']).__name__ == 'PyAVReader'
    assert type(VideoInit(decoder='opencv')(sample)['video_reader']).__name__ == 'OpenCVReader'
    monkeypatch.setenv('REPFLOW_MM_DECODER', 'opencv')
    assert type(VideoInit()(sample)['video_reader']).__name__ == 'OpenCVReader'
    with pytest.raises(ValueError, match="decoder must be one of pyav, torchcodec, decord, opencv, got 'pims'"):
        VideoInit(decoder='pims')


class ShelfBackend(HardDiskBackend):
    """Stands for a storage that is no file system."""


FileClient.register_backend('shelf', ShelfBackend, force=True)


def test_another_io_backend(video):
    sample = dict(filename=str(video), start_index=0, modality='RGB', frame_inds=np.array([3, 1, 3]))
    from_file = VideoDecode()(VideoInit()(dict(sample)))
    from_bytes = VideoDecode()(VideoInit(io_backend='shelf')(dict(sample)))
    assert 'video_reader' not in from_file
    assert np.array_equal(from_file['imgs'], from_bytes['imgs']) and len(from_file['imgs']) == 3
    with pytest.raises(FileNotFoundError, match='none.mp4 does not exist'):
        VideoInit(io_backend='shelf')(dict(sample, filename=str(video.parent / 'none.mp4')))
    with pytest.raises(ValueError, match='OpenCV reads files alone'):
        VideoInit(decoder='opencv', io_backend='shelf')(dict(sample))


def test_the_demo_clips_are_what_decord_made_of_them(motion_clips):
    """Figures of the demo were measured with decord."""
    decord = pytest.importorskip('decord')
    for path in sorted(motion_clips.glob('*/*.mp4'))[::5]:
        expected = decord.VideoReader(str(path), num_threads=1).get_batch(range(12)).asnumpy()
        results = VideoInit()(dict(filename=str(path)))
        results['frame_inds'] = np.arange(12)
        assert np.array_equal(VideoDecode()(results)['imgs'], expected)
