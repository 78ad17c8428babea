import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.registry import init_default_scope
from torch.testing import assert_close

from repflow_mm.classical_flow.methods import FlowMethod
from repflow_mm.classical_flow.stream import FlowStream, stack_flows
from repflow_mm.models import FlowDataPreprocessor
from repflow_mm.models.data_preprocessors.flow_data_preprocessor import recommend_workers
from repflow_mm.ops import tvl1_flow

FAST = dict(num_scales=2, num_warps=2, inner_iters=10, outer_iters=2)


def moving(velocity, num_frames=4, size=32, seed=0):
    """A clip uint8 (3, T, H, W) of a coloured texture that moves by (x, y) pixels a frame."""
    generator = torch.Generator().manual_seed(seed)
    waves = (torch.rand(12, 2, generator=generator) - 0.5) * 0.9
    phases = torch.rand(12, 1, 1, 1, generator=generator) * 6.3
    t = torch.arange(num_frames)[:, None, None]
    x = torch.arange(size) - velocity[0] * t  # (T, 1, W)
    y = torch.arange(size)[:, None] - velocity[1] * t  # (T, H, 1)
    grey = torch.sin(waves[:, 0, None, None, None] * x + waves[:, 1, None, None, None] * y + phases).mean(0)
    tint = torch.tensor([1.0, 0.6, 0.3])[:, None, None, None]
    return (127.5 + 300 * tint * grey).round().clamp(0, 255).to(torch.uint8)  # (3, T, H, W)


def noise(*shape, seed=0):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def flow_of(*clips, training=False, **kwargs):
    """The flow (N, M, C, T', H, W) of samples (M, 3, T, H, W)."""
    return FlowDataPreprocessor(**kwargs)(dict(inputs=list(clips), data_samples=None), training)['inputs']


@pytest.mark.parametrize('velocity', [(1.5, 0), (-1, 0), (0, 2), (0, -1), (1, -0.5)])
def test_flow_of_a_translation_has_its_sign_and_magnitude(velocity):
    flow = flow_of(moving(velocity)[None], bound=8)
    assert flow.shape == (1, 1, 2, 3, 32, 32)
    for component in (0, 1):
        inner = flow[0, 0, component, :, 6:-6, 6:-6] * 8
        assert_close(inner.mean().item(), float(velocity[component]), rtol=0, atol=0.1)
        assert inner.std() < 0.25


def test_values_are_those_of_normalised_flow_images():
    frames = moving((1.5, -1))
    u = tvl1_flow(frames[:, 0][None], frames[:, 1][None])  # (1, 2, H, W)
    images = ((u.clamp(-4, 4) + 4) / 8 * 255).round().to(torch.uint8)
    stored = dict(type='ActionDataPreprocessor', mean=[127.5] * 2, std=[127.5] * 2, format_shape='NCTHW')
    init_default_scope('mmaction')
    stored = MODELS.build(stored)
    read = stored(dict(inputs=[images[:, :, None]], data_samples=None))['inputs'][0]  # (M, 2, 1, H, W)
    assert_close(flow_of(frames[None, :, :2], bound=4)[0], read, rtol=0, atol=0.5 / 127.5 + 1e-6)


def test_large_flow_is_clipped():
    flow = flow_of(moving((2, -2))[None], bound=0.5)
    assert flow.min() == -1 and flow.max() == 1
    assert flow[0, 0, 0].mean() > 0.9 and flow[0, 0, 1].mean() < -0.9


@pytest.mark.parametrize(('channel', 'weight'), [(0, 0.299), (1, 0.587), (2, 0.114)], ids=['red', 'green', 'blue'])
def test_colours_are_red_green_blue(channel, weight):
    clip = torch.full((1, 3, 2, 16, 16), 100, dtype=torch.uint8)
    clip[:, channel] = moving((1, 0), 2, 16)[0]
    grey = weight * clip[:, channel : channel + 1] + (1 - weight) * 100  # (1, 1, 2, H, W)
    wanted = tvl1_flow(grey[:, :, 0], grey[:, :, 1]) / 20
    assert_close(flow_of(clip)[0, :, :, 0], wanted, rtol=0, atol=1e-3)


def test_views_and_samples_do_not_depend_on_each_other():
    clips = noise(2, 3, 3, 4, 20, 24)  # (N, M, 3, T, H, W) in two samples of three views
    together = flow_of(*clips, parameters=FAST)
    assert together.shape == (2, 3, 2, 3, 20, 24)
    for sample in range(2):
        for view in range(3):
            alone = flow_of(clips[sample, view][None], parameters=FAST)
            assert_close(together[sample, view], alone[0, 0])
    assert_close(flow_of(*clips, parameters=FAST, max_pairs=4), together)


def test_samples_of_another_size_are_padded_with_no_motion():
    small, large = noise(1, 3, 3, 16, 20), noise(1, 3, 3, 24, 20, seed=1)
    flow = flow_of(small, large, parameters=FAST)
    assert flow.shape == (2, 1, 2, 2, 24, 20)
    assert_close(flow[0, :, :, :, :16], flow_of(small, parameters=FAST)[0])
    assert flow[0, :, :, :, 16:].abs().max() == 0


def test_stacks_are_windows_with_x_and_y_in_turn():
    flows = torch.arange(2 * 7.0).reshape(1, 2, 7, 1, 1)  # x: 0 ... 6, y: 7 ... 13
    stacked = stack_flows(flows, 3)
    assert stacked.shape == (1, 6, 2, 1, 1)
    assert stacked[0, :, 0].flatten().tolist() == [0, 7, 1, 8, 2, 9]
    assert stacked[0, :, 1].flatten().tolist() == [3, 10, 4, 11, 5, 12]


def test_stacks_of_a_batch():
    clips = noise(2, 3, 3, 6, 16, 16)
    single, stacked = flow_of(*clips, parameters=FAST), flow_of(*clips, stack_length=2, parameters=FAST)
    assert stacked.shape == (2, 3, 4, 2, 16, 16)
    assert_close(stacked[:, :, :, 1], torch.cat([single[:, :, :, 2], single[:, :, :, 3]], dim=2))


def test_flow_of_flow_takes_the_components_of_the_first_as_images():
    frames = moving((1, 0), 4)[None]
    first = flow_of(frames, bound=3, parameters=FAST)[0]  # (1, 2, 3, H, W)
    twice = flow_of(frames, bound=3, num_flows=2, parameters=FAST)
    assert twice.shape == (1, 1, 4, 2, 32, 32)
    images = (first + 1) / 2 * 255
    for component in (0, 1):
        for t in (0, 1):
            pair = [images[:, component : component + 1, i] for i in (t, t + 1)]
            wanted = tvl1_flow(*pair, **FAST).clamp(-3, 3) / 3
            assert_close(twice[0, :, 2 * component : 2 * component + 2, t], wanted)


def test_mirrored_frames_give_mirrored_flow():
    frames = moving((1.5, 1))[None]
    flow, mirrored = flow_of(frames), flow_of(frames.flip(-1))
    expected = flow.flip(-1) * torch.tensor([-1.0, 1.0])[:, None, None, None]
    assert (mirrored - expected).abs()[..., 4:-4, 4:-4].max() * 20 < 0.1


@pytest.mark.parametrize('training', [True, False])
def test_result_is_float32_without_gradient_whatever_the_context(training):
    clip = noise(1, 3, 3, 16, 16)
    wanted = flow_of(clip, parameters=FAST)
    with torch.autocast('cpu', dtype=torch.bfloat16), torch.enable_grad():
        flow = flow_of(clip, training=training, parameters=FAST)
    assert flow.dtype == torch.float32 and not flow.requires_grad
    assert_close(flow, wanted, rtol=0, atol=0)


def test_data_samples_pass_and_blending_blends_the_flow():
    init_default_scope('mmaction')
    samples = [ActionDataSample().set_gt_label(label) for label in (0, 1, 1, 0)]
    clips = [noise(1, 3, 2, 16, 16, seed=seed) for seed in range(4)]
    preprocessor = FlowDataPreprocessor(parameters=FAST, blending=dict(type='MixupBlending', num_classes=2, alpha=9.0))
    plain = preprocessor(dict(inputs=clips, data_samples=samples))
    assert [sample.gt_label.item() for sample in plain['data_samples']] == [0, 1, 1, 0]
    torch.manual_seed(0)
    blended = preprocessor(dict(inputs=clips, data_samples=samples), training=True)
    assert blended['data_samples'][0].gt_label.shape == (2,)
    assert (blended['inputs'] - plain['inputs']).abs().max() > 1e-3


@pytest.mark.parametrize(
    ('kwargs', 'channels'),
    [({}, 2), (dict(stack_length=5), 10), (dict(num_flows=2), 4), (dict(num_flows=2, stack_length=2), 8)],
)
def test_number_of_channels(kwargs, channels):
    preprocessor = MODELS.build(dict(type='FlowDataPreprocessor', parameters=FAST, **kwargs))
    assert preprocessor.out_channels == channels
    assert preprocessor(dict(inputs=[noise(1, 3, 6, 16, 16)], data_samples=None))['inputs'].shape[2] == channels


def test_wrong_arguments_are_those_of_the_stream():
    with pytest.raises(ValueError, match='bound must be > 0 and finite, in pixels, got 0'):
        FlowDataPreprocessor(bound=0)


def test_other_methods():
    frames = moving((1.5, -1))[None]
    for method in ('brox', 'farneback', 'dis'):
        inner = flow_of(frames, bound=8, method=method)[0, 0, :, :, 8:-8, 8:-8] * 8
        assert_close(inner.mean(dim=(1, 2, 3)), torch.tensor([1.5, -1]), rtol=0, atol=0.2)


def test_batches_on_another_device_are_told_once_of_the_transform(caplog):
    recommend_workers.cache_clear()
    for device in ('cpu', 'cuda', 'cuda'):
        recommend_workers(device)
    (record,) = caplog.records
    assert record.getMessage().startswith('FlowDataPreprocessor: classical flow has no cuda solver')
    assert 'ComputeFlow' in record.getMessage()


def test_a_batch_on_another_device_is_such_a_batch(caplog, monkeypatch):
    recommend_workers.cache_clear()
    monkeypatch.setattr(FlowStream, '__call__', lambda self, frames: frames[:, :2].float())
    preprocessor = FlowDataPreprocessor()
    for _ in range(2):
        preprocessor.preprocess([noise(1, 3, 4, 16, 16).to('meta') for _ in range(2)], None)
    (record,) = caplog.records
    assert 'has no meta solver' in record.getMessage()


def test_flow_of_a_batch_on_another_device_is_computed_on_the_cpu(monkeypatch):
    frames, computed = moving((1.5, -1))[None], []
    known, compute = FlowStream(parameters=FAST)(frames), FlowMethod.compute

    def noted(*arguments):
        computed.append(compute(*arguments))
        return computed[-1]

    monkeypatch.setattr(FlowMethod, 'compute', noted)
    monkeypatch.setattr(torch.Tensor, 'cpu', lambda tensor: frames)  # the frames of a device that has no memory
    flow = FlowDataPreprocessor(parameters=FAST).preprocess([frames.to('meta')], None)[0]
    assert flow.device.type == 'meta' and flow[0].shape == known.shape
    (u,) = computed  # (T-1, 2, H, W), in pixels
    assert_close(u.transpose(0, 1)[None] / FlowStream().bound, known)


def test_frames_of_another_kind_are_refused():
    with pytest.raises(TypeError, match='frames must be uint8, got torch.float32'):
        flow_of(torch.rand(1, 3, 4, 16, 16))
    with pytest.raises(ValueError, match=r"input_format='NCTHW' gives them for RGB, got \(8, 3, 16, 16\)"):
        flow_of(noise(8, 3, 16, 16))
    with pytest.raises(ValueError, match=r'RGB, got \(1, 2, 4, 16, 16\)'):
        flow_of(noise(1, 2, 4, 16, 16))


@pytest.mark.parametrize(('kwargs', 'least'), [({}, 2), (dict(num_flows=2), 3), (dict(num_flows=2, stack_length=3), 5)])
def test_clips_that_are_too_short_are_refused(kwargs, least):
    with pytest.raises(ValueError, match=rf'clips must have T >= {least} frames for .*, got T = {least - 1}'):
        flow_of(noise(1, 3, least - 1, 16, 16), **kwargs)
    assert flow_of(noise(1, 3, least, 16, 16), parameters=FAST, **kwargs).shape[3] == 1
