import random

import cv2
import numpy as np
import pytest
import torch
from mmaction.datasets import RawframeDataset
from mmaction.registry import MODELS, TRANSFORMS

import repflow_mm.models  # noqa: F401
from repflow_mm.datasets.bad_data import BadDataError
from repflow_mm.datasets.flow.extraction import FlowOptions, extract_flow
from repflow_mm.datasets.flow.frames import FLOW_TEMPLATE, FORMATS, dequantize_flow, quantize_flow, write_flow_file
from repflow_mm.datasets.motion_clips.clips import MotionClipOptions
from repflow_mm.datasets.motion_clips.files import make_motion_clips
from repflow_mm.datasets.transforms import CheckedRawFrameDecode, ComputeFlow, FlowFileDecode, FlowFlip
from repflow_mm.ops import tvl1_flow

BOUND = 8.0
SPEED = 1.5
DIRECTIONS = {'left': (-SPEED, 0), 'right': (SPEED, 0), 'up': (0, -SPEED), 'down': (0, SPEED)}
DECODES = {'jpg': ('RawFrameDecode', 'CheckedRawFrameDecode'), 'mp4': ('FlowFileDecode',)}


@pytest.fixture(scope='module')
def flow(tmp_path_factory):
    """Folders of the flow of four translations, 9 flows of 64x64 each, a folder a format."""
    root = tmp_path_factory.mktemp('flow')
    options = MotionClipOptions(
        train=4, val=4, size=64, length=10, classes=tuple(DIRECTIONS), speed=(SPEED, SPEED), seed=3
    )
    make_motion_clips(root / 'clips', options, jobs=1)
    for format in FORMATS:
        extract_flow(root / 'clips' / 'val.txt', root / format, root / 'clips', FlowOptions(BOUND, format=format), 1)
    return root


def dataset(flow, format, *steps, decode=None, clip_len=5, num_clips=1):
    pipeline = [
        dict(type='SampleFrames', clip_len=clip_len, frame_interval=1, num_clips=num_clips, test_mode=True),
        dict(type=decode or DECODES[format][-1]),
        *steps,
    ]
    return RawframeDataset(
        ann_file=str(flow / format / 'val.txt'),
        data_prefix=dict(img=str(flow / format)),
        filename_tmpl=FLOW_TEMPLATE,
        modality='Flow',
        pipeline=[{**step, 'type': f'mmaction.{step["type"]}'} for step in pipeline],
    )


@pytest.mark.parametrize('format', FORMATS)
def test_directions_in_the_files(flow, format):
    """x is to the right and y down, in pixels, in files that are read back by upstream's dataset."""
    for decode in DECODES[format]:
        for sample, (name, expected) in zip(dataset(flow, format, decode=decode), DIRECTIONS.items()):
            u = dequantize_flow(np.stack(sample['imgs']), BOUND)  # (T, H, W, 2)
            assert name in sample['frame_dir'] and u.shape == (5, 64, 64, 2)
            assert np.allclose(np.median(u, axis=(0, 1, 2)), expected, atol=0.2), name


@pytest.mark.parametrize('format', FORMATS)
def test_frames_in_order(flow, format):
    """Clips are the flows that SampleFrames asks for, counted from 1 in the files and in the folders."""
    whole = np.stack(dataset(flow, format, clip_len=9)[0]['imgs'])
    clip = np.stack(dataset(flow, format, clip_len=3, num_clips=3)[0]['imgs'])
    assert whole.shape == (9, 64, 64, 2) and np.array_equal(clip, whole)


def test_both_formats_hold_the_same_flow(flow):
    for folder, file in zip(dataset(flow, 'jpg'), dataset(flow, 'mp4')):
        error = np.stack(folder['imgs']).astype(int) - np.stack(file['imgs'])
        assert abs(error).mean() < 1.5 and abs(error.mean()) < 0.75


@pytest.mark.parametrize('format', FORMATS)
@pytest.mark.parametrize(('layout', 'shape'), [('NCHW', (2, 10, 32, 32)), ('NCTHW', (2, 2, 5, 32, 32))])
def test_whole_pipeline(flow, format, layout, shape):
    steps = [
        dict(type='Resize', scale=(-1, 40)),
        dict(type='CenterCrop', crop_size=32),
        dict(type='FlowFlip', flip_ratio=1),
        dict(type='FormatShape', input_format=layout),
        dict(type='PackActionInputs'),
    ]
    for sample, expected in zip(dataset(flow, format, *steps, num_clips=2), DIRECTIONS.values()):
        inputs = sample['inputs']
        assert inputs.shape == shape and inputs.dtype == torch.uint8
        # (M, 2T, H, W), x and y in turn, or (M, 2, T, H, W) -> (M, T, 2, H, W)
        flows = inputs.unflatten(1, (5, 2)) if layout == 'NCHW' else inputs.transpose(1, 2)
        u = dequantize_flow(flows.numpy(), BOUND)
        assert np.allclose(np.median(u, axis=(0, 1, 3, 4)), (-expected[0], expected[1]), atol=0.2)


def test_upstream_format_shape_keeps_frames_and_components_in_place():
    """Why this package has no FormatShape of its own for flow."""
    imgs = list(np.random.default_rng(0).integers(0, 255, (6, 4, 5, 2), dtype=np.uint8))  # 2 clips of 3
    results = dict(imgs=imgs, modality='Flow', num_clips=2, clip_len=3)
    for layout in ('NCTHW', 'NCHW'):
        clips = TRANSFORMS.build(dict(type='FormatShape', input_format=layout))(dict(results))['imgs']
        for m in range(2):
            for t in range(3):
                for c in range(2):
                    plane = clips[m, c, t] if layout == 'NCTHW' else clips[m, 2 * t + c]
                    assert np.array_equal(plane, imgs[3 * m + t][..., c])


CROPS = [
    dict(type='Resize', scale=(20, 30), keep_ratio=False),
    dict(type='RandomResizedCrop', area_range=(0.3, 0.6)),
    dict(type='RandomCrop', size=16),
    dict(type='CenterCrop', crop_size=16),
    dict(type='MultiScaleCrop', input_size=16),
]


@pytest.mark.parametrize('step', CROPS, ids=lambda step: step['type'])
def test_upstream_sizes_treat_components_alike(step):
    """Each component as a grey image would be treated, the same for every frame; displacements are not rescaled."""
    frames = np.random.default_rng(0).integers(0, 255, (3, 24, 32, 2), dtype=np.uint8)

    def transform(imgs):
        np.random.seed(1)
        random.seed(1)
        results = dict(imgs=list(imgs), img_shape=(24, 32), modality='Flow')
        return np.stack(TRANSFORMS.build(step)(results)['imgs'])

    both = transform(frames)
    assert both.ndim == 4 and both.shape[1:] != frames.shape[1:]
    for c in range(2):
        assert np.array_equal(transform(frames[..., c]), both[..., c])


def frames_of(first, second):
    u = tvl1_flow(first[None, None], second[None, None])
    return quantize_flow(u[0].permute(1, 2, 0).numpy(), BOUND)  # (2, H, W) -> (H, W, 2)


def flip(imgs, **results):
    results = dict(imgs=imgs, modality='Flow', img_shape=imgs[0].shape[:2], label=0) | results
    return FlowFlip(flip_ratio=1, flip_label_map={0: 1})(results)


def test_flip_gives_the_flow_of_mirrored_frames():
    texture = cv2.GaussianBlur(np.random.default_rng(0).uniform(0, 255, (40, 48)), (0, 0), 2)
    texture = (texture - texture.min()) / np.ptp(texture) * 255
    images = [
        torch.from_numpy(np.roll(texture, (shift_y, shift_x), (0, 1)).astype(np.float32))
        for shift_y, shift_x in ((0, 0), (-1, 2), (-2, 3))
    ]
    imgs = [frames_of(first, second) for first, second in zip(images, images[1:])]
    before = [img.copy() for img in imgs]
    results = flip(imgs)
    mirrored = [image.flip(1) for image in images]
    expected = [frames_of(first, second) for first, second in zip(mirrored, mirrored[1:])]
    for flipped, flow in zip(results['imgs'], expected):
        # A level is 0.06 pixels; what leaves the image is a matter of chance.
        assert np.median(abs(flipped.astype(int) - flow), axis=(0, 1)).max() <= 1
        assert (abs(flipped.astype(int) - flow)[6:-6, 6:-6] > 3).mean() < 0.02
    assert results['label'] == 1 and results['flip']
    assert all(np.array_equal(a, b) for a, b in zip(imgs, before))
    again = flip(results['imgs'])
    assert all(np.array_equal(a, b) for a, b in zip(again['imgs'], before)) and again['label'] == 1


def test_no_flip():
    imgs = [np.zeros((4, 6, 2), np.uint8)]
    results = FlowFlip(flip_ratio=0, flip_label_map={0: 1})(dict(imgs=imgs, modality='Flow', img_shape=(4, 6), label=0))
    assert results['imgs'][0] is imgs[0] and results['label'] == 0 and not results['flip']


def test_flip_of_rgb_mirrors_only():
    imgs = list(np.random.default_rng(0).integers(0, 255, (3, 4, 6, 3), dtype=np.uint8))
    flipped = flip(imgs, modality='RGB')['imgs']
    assert all(np.array_equal(a, b[:, ::-1]) for a, b in zip(flipped, imgs))


@pytest.mark.parametrize('img', [np.zeros((4, 6), np.uint8), np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6, 2))])
def test_flip_of_what_is_no_flow(img):
    with pytest.raises(ValueError, match=r'flow frames must be \(H, W, 2\), uint8, got \(4, 6'):
        flip([img])


def decode(path, indices=(1,), transform=None, **changes):
    results = dict(frame_dir=str(path), filename_tmpl=FLOW_TEMPLATE, modality='Flow', start_index=1, total_frames=2)
    return (transform or CheckedRawFrameDecode())({**results, 'frame_inds': np.array(indices), **changes})


@pytest.fixture
def images(tmp_path):
    for component in 'xy':
        for number in (1, 2):
            name = FLOW_TEMPLATE.format(component, number)
            cv2.imwrite(str(tmp_path / name), np.full((24, 32), 100 + number, np.uint8))
    return tmp_path


def test_damaged_images_are_named(images):
    assert len(decode(images, (1, 2))['imgs']) == 2
    path = images / 'y_00002.jpg'
    data = path.read_bytes()
    damages = {
        r' is empty': b'',
        r' \(1500 bytes\) is no JPEG file': b'hello' * 300,
        r' \(\d+ bytes\) is cut off': data[: len(data) // 2],
        r' \(1000 bytes\) is cut off': data[:100] + bytes(900),
    }
    for message, content in damages.items():
        path.write_bytes(content)
        assert len(decode(images, (1,))['imgs']) == 1
        with pytest.raises(ValueError, match=f'image {path}{message}'):
            decode(images, (1, 2))
    cv2.imwrite(str(path), np.zeros((8, 8), np.uint8))
    with pytest.raises(ValueError, match=f'image {path} cannot be decoded: .*same shape'):
        decode(images, (1, 2))
    path.unlink()
    with pytest.raises(FileNotFoundError, match=f'image {path} does not exist'):
        decode(images, (1, 2))


def test_damaged_images_of_other_kinds(images):
    for component in 'xy':
        (images / f'{component}_1.png').write_bytes(b'no image')
    with pytest.raises(ValueError, match=f'an image in {images} cannot be decoded'):
        decode(images, filename_tmpl='{}_{}.png')
    with pytest.raises(ValueError, match=f'image {images}/x_1.png cannot be decoded'):
        decode(images, filename_tmpl='x_{}.png', modality='RGB')


@pytest.mark.parametrize('offset', [0, 1])
def test_too_many_frames_in_the_list_show_whichever_are_read(images, offset):
    decode(images, (1,), total_frames=2 - offset, offset=offset)
    with pytest.raises(BadDataError, match=f'total_frames is 3, but the last image {images}/x_0000{3 + offset}.jpg do'):
        decode(images, (1,), total_frames=3, offset=offset)


def test_the_last_image_of_both_components_has_to_be_there(images):
    (images / 'y_00002.jpg').unlink()
    with pytest.raises(BadDataError, match=f'but the last image {images}/y_00002.jpg does not exist'):
        decode(images, (1,))


def test_checked_decoding_of_rgb(images):
    imgs = decode(images, (1, 2), filename_tmpl='x_{:05d}.jpg', modality='RGB')['imgs']
    assert imgs[1].shape == (24, 32, 3) and imgs[1].mean() == pytest.approx(102, abs=1)


def test_damaged_files_are_named(tmp_path):
    path, transform = tmp_path / 'clip.mp4', FlowFileDecode()
    with pytest.raises(FileNotFoundError, match=f'video {path} does not exist'):
        decode(path, transform=transform)
    write_flow_file(path, np.full((2, 2, 32, 32), 128, np.uint8))
    assert decode(path, (2, 1), transform)['img_shape'] == (32, 32)
    with pytest.raises(ValueError, match=f'flow file {path} has 2 flows, fewer than the list says: 3'):
        decode(path, (1,), transform, offset=1)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match=rf'video {path} \(500 bytes\) cannot be read'):
        decode(path, transform=transform)


def test_offset_of_a_clip_in_a_long_video(tmp_path):
    levels = np.arange(20, 220, 20, dtype=np.uint8)[:, None, None, None] * np.ones((2, 32, 32), np.uint8)
    write_flow_file(tmp_path / 'clip.mp4', levels)
    imgs = decode(tmp_path / 'clip.mp4', (1, 2), FlowFileDecode(), offset=4)['imgs']
    assert [round(img.mean() / 20) for img in imgs] == [5, 6]


FEW = dict(num_scales=2, num_warps=2, inner_iters=10, outer_iters=2)
VIEWS = {
    'one clip': ((), 1),
    'clips': ((), 2),
    'mirrored': ((dict(type='mmaction.Flip', flip_ratio=1),), 2),
    'three crops': ((dict(type='mmaction.ThreeCrop', crop_size=24),), 2),
}


def colour_frames(number=8, height=24, width=40, seed=0):
    """Frames (H, W, 3), uint8, of a smooth texture that moves to the right by a pixel a frame."""
    texture = np.random.default_rng(seed).integers(0, 255, (6, 12, 3), dtype=np.uint8)
    wide = cv2.resize(texture, (width + number, height), interpolation=cv2.INTER_CUBIC)
    return [wide[:, number - t : number - t + width].copy() for t in range(number)]


def packed(steps, num_clips, *, flow, stream):
    """What a pipeline packs of ``num_clips`` clips of 4 frames; with ``flow``, computed in it."""
    frames = [frame for clip in range(num_clips) for frame in colour_frames(4, seed=clip)]
    results = dict(imgs=frames, num_clips=num_clips, clip_len=4, img_shape=(24, 40), modality='RGB', label=0)
    compute = (dict(type='ComputeFlow', **stream),) if flow else ()
    pack = (dict(type='mmaction.FormatShape', input_format='NCTHW'), dict(type='mmaction.PackActionInputs'))
    for step in (*steps, *compute, *pack):
        results = TRANSFORMS.build(dict(step))(results)
    return results


@pytest.mark.parametrize(('steps', 'num_clips'), VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize(
    'stream',
    [
        dict(bound=5, parameters=FEW),
        dict(num_flows=2, stack_length=2, bound=3, parameters=FEW),
        dict(method='brox', max_pairs=2),
        dict(method='dis', stack_length=3),
    ],
    ids=str,
)
def test_computed_flow_is_what_the_preprocessor_computes(steps, num_clips, stream):
    frames, flows = (packed(steps, num_clips, flow=flow, stream=stream) for flow in (False, True))
    expected, actual = (
        MODELS.build(preprocessor)(dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']]))['inputs']
        for preprocessor, sample in (
            (dict(type='FlowDataPreprocessor', **stream), frames),
            (dict(type='mmaction.ActionDataPreprocessor', format_shape='NCTHW'), flows),
        )
    )
    assert actual.shape == expected.shape and actual.dtype == torch.float32
    assert torch.equal(actual, expected)
    assert actual.abs().max() > 0.01


def test_plain_flip_before_it_mirrors_the_flow():
    stream = dict(bound=5, method='brox')
    flow = packed((), 1, flow=True, stream=stream)['inputs']  # (1, 2, 3, H, W)
    mirrored = packed(VIEWS['mirrored'][0], 1, flow=True, stream=stream)['inputs']
    expected = flow.flip(-1) * torch.tensor([-1.0, 1.0])[:, None, None, None]
    assert flow[:, 0].mean() * 5 == pytest.approx(1, abs=0.2)
    assert (mirrored - expected).abs()[..., 4:-4, 4:-4].max() * 5 < 0.1


class Clips(torch.utils.data.Dataset):
    """Clips whose flow the pipeline computes, with the number of torch's threads there."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        results = dict(imgs=colour_frames(seed=index), num_clips=1, clip_len=8)
        return np.stack(ComputeFlow(bound=5)(results)['imgs']), torch.get_num_threads()


@pytest.mark.parametrize('context', ['fork', 'spawn'])
def test_data_workers_compute_on_one_thread_what_the_main_process_does(context):
    expected = [Clips()[index][0] for index in range(4)]
    loader = torch.utils.data.DataLoader(Clips(), batch_size=1, num_workers=2, multiprocessing_context=context)
    for (flow, threads), wanted in zip(loader, expected):
        assert threads.item() == 1
        assert np.array_equal(flow[0].numpy(), wanted)


def test_computed_flow_refuses_other_frames():
    grey = dict(imgs=[np.zeros((16, 16, 1), np.uint8)] * 2, num_clips=1, clip_len=2)
    with pytest.raises(ValueError, match=r'ComputeFlow: frames must be \(H, W, 3\), RGB, got \(16, 16, 1\)'):
        ComputeFlow()(grey)
    floating = dict(imgs=[np.zeros((16, 16, 3), np.float32)] * 2, num_clips=1, clip_len=2)
    with pytest.raises(TypeError, match=r'frames must be uint8, got torch\.float32'):
        ComputeFlow()(floating)
    with pytest.raises(ValueError, match='clips must have T >= 2 frames for .*, got T = 1'):
        ComputeFlow()(dict(imgs=colour_frames(2), num_clips=2, clip_len=1))


def test_computed_flow_shows_its_arguments():
    transform = TRANSFORMS.build(dict(type='ComputeFlow', bound=5, method='dis'))
    assert repr(transform).startswith("ComputeFlow(bound=5.0, num_flows=1, stack_length=None, method='dis'")
    assert transform.out_channels == 2
