"""RepFlowResNet inside of MMAction2's recognizers, with views from MMAction2's own pipeline."""

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS, TRANSFORMS
from mmaction.structures import ActionDataSample
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from torch.testing import assert_close

import repflow_mm.models  # noqa: F401

T, CLIPS, CROPS, CLASSES = 3, 25, 3, 5
VIEWS = CLIPS * CROPS
HEADS_2D, HEADS = ('TSNHead', 'TSMHead'), ('TSNHead', 'TSMHead', 'I3DHead')


def build_recognizer(head, average_clips=None, **flow):
    init_default_scope('mmaction')
    torch.manual_seed(0)
    flow = dict(after='block2', channels=4, num_iters=2) | flow
    backbone = dict(type='RepFlowResNet', depth=18, num_segments=T, flow=flow)
    backbone.update(num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(1,))
    cls_head = dict(type=head, num_classes=CLASSES, in_channels=128, average_clips=average_clips, init_std=0.3)
    if head == 'TSMHead':
        cls_head.update(num_segments=T)
    layout = 'NCTHW' if head == 'I3DHead' else 'NCHW'
    preprocessor = dict(type='ActionDataPreprocessor', mean=[127.5] * 3, std=[50.0] * 3, format_shape=layout)
    model = dict(type='Recognizer3D' if head == 'I3DHead' else 'Recognizer2D')
    model = MODELS.build(dict(**model, backbone=backbone, cls_head=cls_head, data_preprocessor=preprocessor))
    model.init_weights()
    return model


def views_of(video, layout):
    """A video (75, H, W, 3) as the test pipeline gives it: 25 clips of 3 frames, each in 3 crops."""
    steps = [
        dict(type='SampleFrames', clip_len=T, frame_interval=1, num_clips=CLIPS, test_mode=True),
        dict(type='ArrayDecode'),
        dict(type='ThreeCrop', crop_size=16),
        dict(type='FormatShape', input_format=layout),
        dict(type='PackActionInputs'),
    ]
    pipeline = Compose([TRANSFORMS.build(step) for step in steps])
    return pipeline(dict(array=video, total_frames=len(video), start_index=0, label=0, modality='RGB'))


def random_video(seed):
    return np.random.default_rng(seed).integers(0, 256, (CLIPS * T, 16, 24, 3), dtype=np.uint8)


def as_views(inputs, head):
    """Folded (crops*clips*T, ...) or (crops*clips, ...) inputs with views as their own dimension, without a copy."""
    return inputs if head == 'I3DHead' else inputs.unflatten(0, (VIEWS, T))


@pytest.fixture(scope='module')
def videos():
    return {layout: [views_of(random_video(seed), layout) for seed in (0, 1)] for layout in ('NCHW', 'NCTHW')}


def inputs_for(videos, head):
    samples = videos['NCTHW' if head == 'I3DHead' else 'NCHW']
    return [sample['inputs'].clone() for sample in samples], [sample['data_samples'] for sample in samples]


def predict(model, inputs, data_samples):
    """Scores of the videos, stacked."""
    with torch.no_grad():
        results = model.eval().test_step(dict(inputs=inputs, data_samples=[s.clone() for s in data_samples]))
    return torch.stack([result.pred_score for result in results])


def view_features(model, inputs, head):
    """Features (N, views, ...) of the backbone."""
    with torch.no_grad():
        batch = model.eval().data_preprocessor(dict(inputs=inputs, data_samples=None))['inputs']
        features = model(batch, mode='tensor', stage='backbone')
    if head == 'I3DHead':
        return features.unflatten(0, (-1, VIEWS))
    return features.unflatten(0, (-1, VIEWS, T))


def test_views_are_ordered_crop_clip_frame(videos):
    (folded, _), (clips, _) = ([sample['inputs'] for sample in videos[layout]] for layout in ('NCHW', 'NCTHW'))
    assert folded.shape == (VIEWS * T, 3, 16, 16) and clips.shape == (VIEWS, 3, T, 16, 16)
    assert torch.equal(folded.unflatten(0, (VIEWS, T)).transpose(1, 2), clips)


@pytest.mark.parametrize('head', HEADS)
def test_a_view_depends_on_no_other(head, videos):
    model = build_recognizer(head)
    inputs, _ = inputs_for(videos, head)
    before = view_features(model, inputs, head)
    changed = [(0, 7), (0, CLIPS + 24), (1, 2 * CLIPS)]  # a clip, one at a crop's end, one at a crop's start
    for video, view in changed:
        as_views(inputs[video], head)[view] = 255 - as_views(inputs[video], head)[view].flip(-1)
    after = view_features(model, inputs, head)
    for video in range(2):
        for view in range(VIEWS):
            if (video, view) in changed:
                assert (after[video, view] - before[video, view]).abs().max() > 1e-2
            else:
                assert_close(after[video, view], before[video, view], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('head', HEADS)
def test_a_video_does_not_depend_on_its_batch_mates(head, videos):
    model = build_recognizer(head, average_clips='prob')
    inputs, data_samples = inputs_for(videos, head)
    together = predict(model, inputs, data_samples)
    assert together.shape == (2, CLASSES) and (together[0] - together[1]).abs().max() > 1e-3
    for video in range(2):
        alone = predict(model, inputs[video : video + 1], data_samples[video : video + 1])
        assert_close(alone[0], together[video], rtol=1e-4, atol=1e-5)
    assert_close(predict(model, inputs[::-1], data_samples), together.flip(0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('head', ['TSMHead', 'I3DHead'])
def test_scores_follow_the_order_of_clips_and_crops(head, videos):
    model = build_recognizer(head)
    inputs, data_samples = inputs_for(videos, head)
    scores = predict(model, inputs, data_samples)
    assert scores.shape == (2, VIEWS, CLASSES) and scores[0].std(0).max() > 1e-3
    order = torch.randperm(VIEWS, generator=torch.Generator().manual_seed(0))
    permuted = [as_views(x, head)[order] for x in inputs]
    permuted = permuted if head == 'I3DHead' else [x.flatten(0, 1) for x in permuted]
    assert_close(predict(model, permuted, data_samples), scores[:, order], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('head', HEADS)
def test_averaged_scores_do_not_depend_on_the_order(head, videos):
    model = build_recognizer(head, average_clips='score')
    inputs, data_samples = inputs_for(videos, head)
    order = torch.randperm(VIEWS, generator=torch.Generator().manual_seed(0))
    permuted = [as_views(x, head)[order] for x in inputs]
    permuted = permuted if head == 'I3DHead' else [x.flatten(0, 1) for x in permuted]
    assert_close(predict(model, permuted, data_samples), predict(model, inputs, data_samples), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('fusion', ['none', 'add', 'concat'])
@pytest.mark.parametrize('head', HEADS)
def test_every_parameter_gets_a_gradient(head, fusion):
    model = build_recognizer(head, fusion=fusion).train()
    shape = (2, 1, 3, T, 32, 32) if head == 'I3DHead' else (2, T, 3, 32, 32)
    inputs = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    losses = model(inputs, [ActionDataSample().set_gt_label(label) for label in (0, 1)], mode='loss')
    losses['loss_cls'].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


@pytest.mark.parametrize('head', HEADS_2D)
def test_views_of_another_length_are_refused(head):
    model = build_recognizer(head).eval()
    with pytest.raises(ValueError, match='8 frames .* are no whole clips of num_segments=3'):
        model(torch.rand(1, 8, 3, 16, 16), mode='tensor')
