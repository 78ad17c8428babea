import pytest
import torch
from mmaction.registry import MODELS
from torch.testing import assert_close

import repflow_mm  # noqa: F401
from repflow_mm.models import FlowBlock
from repflow_mm.models.layers.folding import average_neighbours, fold_time
from repflow_mm.ops import normalize_flow_input

N, C, T, H, W = 2, 6, 5, 7, 8
STEPS = [('flow',), ('flow', 'flow'), ('flow', 'conv', 'flow')]
FUSIONS = ['none', 'add', 'concat']


@pytest.fixture
def frames():
    return torch.randn(N * T, C, H, W, generator=torch.Generator().manual_seed(0))


def build_block(seed=0, **kwargs):
    torch.manual_seed(seed)
    return FlowBlock(C, **{'channels': 4, 'num_iters': 3, **kwargs})


def steps_id(steps):
    return '-'.join(steps)


@pytest.mark.parametrize('keep_frames', [False, True], ids=['shorten', 'keep'])
@pytest.mark.parametrize('fusion', FUSIONS)
@pytest.mark.parametrize('steps', STEPS, ids=steps_id)
def test_output_shape(frames, steps, fusion, keep_frames):
    block = build_block(steps=steps, fusion=fusion).eval()
    out, length = block(frames, T, keep_frames)
    assert length == (T if keep_frames else T - steps.count('flow'))
    assert out.shape == (N * length, C, H, W)


@pytest.mark.parametrize('keep_frames', [False, True], ids=['shorten', 'keep'])
@pytest.mark.parametrize('fusion', FUSIONS)
@pytest.mark.parametrize('steps', STEPS, ids=steps_id)
def test_channels_last_is_kept(frames, steps, fusion, keep_frames):
    block = build_block(steps=steps, fusion=fusion).eval()
    expected, _ = block(frames, T, keep_frames)
    block.to(memory_format=torch.channels_last)
    out, _ = block(frames.to(memory_format=torch.channels_last), T, keep_frames)
    assert out.is_contiguous(memory_format=torch.channels_last)
    assert_close(out, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('fusion', FUSIONS)
@pytest.mark.parametrize('steps', STEPS, ids=steps_id)
def test_every_parameter_gets_a_gradient(frames, steps, fusion):
    learn = ('theta', 'lam', 'tau', 'div', 'image_gradient')
    block = build_block(steps=steps, fusion=fusion, learn=learn)
    out, _ = block(frames, T)
    (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(1))).sum().backward()
    for name, parameter in block.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.any(), name


def test_single_flow_is_reduce_normalise_flow_expand_norm(frames):
    block = build_block().eval()
    clips = block.reduce(frames).view(N, T, 4, H, W).transpose(1, 2)
    u = block.steps['flow0'](normalize_flow_input(clips))
    out, length = block(frames, T)
    assert length == T - 1
    assert_close(out, block.norm(block.expand(fold_time(u))))


@pytest.mark.parametrize('fusion', ['add', 'concat'])
def test_flow_is_fused_with_the_mean_of_the_frames_it_is_made_of(frames, fusion):
    steps = ('flow', 'conv', 'flow')
    alone, _ = build_block(steps=steps, fusion='none').eval()(frames, T)
    block = build_block(steps=steps, fusion=fusion).eval()
    features = average_neighbours(frames, T, 3)
    joined = features + alone if fusion == 'add' else block.fuse(torch.cat((features, alone), 1))
    block.load_state_dict(build_block(steps=steps).state_dict(), strict=False)
    assert_close(block(frames, T)[0], joined.relu())


@pytest.mark.parametrize('steps', STEPS, ids=steps_id)
def test_kept_frames_repeat_the_last_flow(frames, steps):
    block = build_block(steps=steps).eval()
    short, length = block(frames, T)
    kept, _ = block(frames, T, keep_frames=True)
    short, kept = short.view(N, length, C, H, W), kept.view(N, T, C, H, W)
    assert_close(kept[:, :length], short, rtol=0, atol=0)
    assert_close(kept[:, length:], short[:, -1:].expand(-1, T - length, -1, -1, -1), rtol=0, atol=0)


@pytest.mark.parametrize('fusion', FUSIONS)
def test_no_flow_is_computed_from_repeated_frames(frames, fusion):
    block = build_block(fusion=fusion, zero_init_norm=False).eval()
    clips = frames.view(N, T, C, H, W)
    clips[:, -1] = clips[:, -2]
    expected = clips[:, :-1].flatten(0, 1)  # (N*(T-1), C, H, W)
    expected = block(expected, T - 1, keep_frames=True)[0].view(N, T - 1, C, H, W)
    out, length = block(frames, T, keep_frames=True, num_repeated=1)
    assert length == T
    assert_close(out.view(N, T, C, H, W)[:, :-1], expected)
    assert_close(out.view(N, T, C, H, W)[:, -1], expected[:, -1])


@pytest.mark.parametrize('steps', STEPS, ids=steps_id)
def test_zero_init_norm_starts_as_the_residual(frames, steps):
    block = build_block(steps=steps, fusion='add', zero_init_norm=True)
    block.init_weights()
    kept, _ = block(frames, T, keep_frames=True)
    assert_close(kept, frames.relu(), rtol=0, atol=0)
    shortened, _ = block(frames, T)
    assert_close(shortened, average_neighbours(frames, T, steps.count('flow') + 1).relu(), rtol=0, atol=0)


@pytest.mark.parametrize('steps', STEPS, ids=steps_id)
def test_a_clip_does_not_depend_on_its_batch_mates(frames, steps):
    block = build_block(steps=steps).eval()
    together, length = block(frames, T)
    assert_close(together[length:], block(frames[T:], T)[0], rtol=1e-4, atol=1e-5)
    frames[:T] = 100 * frames[:T] + 7
    changed, _ = block(frames, T)
    assert_close(changed[length:], together[length:], rtol=1e-4, atol=1e-5)
    assert (changed[:length] - together[:length]).abs().max() > 1e-3


def test_batch_scope_is_that_of_the_released_code(frames):
    block = build_block(normalize='batch').eval()
    together, length = block(frames, T)
    frames[:T] *= 100
    assert (block(frames, T)[0][length:] - together[length:]).abs().max() > 1e-3


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16], ids=str)
def test_autocast(frames, dtype):
    block = build_block(steps=('flow', 'conv', 'flow'), fusion='concat', num_iters=20)
    with torch.autocast('cpu', dtype=dtype):
        out, _ = block(frames, T)
    out.float().square().mean().backward()
    assert out.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in block.parameters())


def test_activation_can_be_left_out(frames):
    block = build_block(fusion='add', act_cfg=None).eval()
    assert block(frames, T)[0].min() < 0 and build_block(fusion='add').eval()(frames, T)[0].min() == 0


def test_is_registered():
    block = MODELS.build(dict(type='FlowBlock', in_channels=8, channels=2, fusion='add'))
    assert isinstance(block, FlowBlock) and block.expand.out_channels == 8


def test_state_keys_are_stable():
    block = build_block(steps=('flow', 'conv', 'flow'), fusion='concat')
    terms = ['raw_theta', 'raw_lam', 'raw_tau', 'image_kernel', 'flow_kernel', 'div_kernel']
    norm = ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked']
    expected = ['reduce.weight', 'expand.weight', 'fuse.weight', 'steps.conv1.0.weight', 'steps.conv1.1.weight']
    expected += [f'steps.flow{i}.{term}' for i in (0, 2) for term in terms] + [f'norm.{name}' for name in norm]
    assert sorted(block.state_dict()) == sorted(expected)


@pytest.mark.parametrize('steps', STEPS, ids=steps_id)
def test_clip_too_short(frames, steps):
    num_flows = steps.count('flow')
    with pytest.raises(ValueError, match=f'more than {num_flows} frames for the flow block, got T = {num_flows}'):
        build_block(steps=steps)(frames[: 2 * num_flows], num_flows)


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(steps=('flow', 'pool')), r"steps must be a sequence of names from \('flow', 'conv'\), got .*'pool'"),
        (dict(steps='flow'), "steps must be a sequence .* got 'flow'"),
        (dict(steps=()), r'steps must be a sequence .* got \(\)'),
        (dict(steps=('flow', 'conv')), r"start and end with 'flow'.* got \('flow', 'conv'\)"),
        (dict(steps=('flow', 'conv', 'conv', 'flow')), "each 'conv' right after a 'flow', got"),
        (dict(normalize='video'), r"normalize must be one of \('clip', 'batch'\), got 'video'"),
        (dict(expand_kernel_size=5), 'expand_kernel_size must be 1 or 3, got 5'),
        (dict(fusion='mul'), r"fusion must be one of \('none', 'add', 'concat'\), got 'mul'"),
        (dict(zero_init_norm=True), "zero_init_norm=True needs fusion='add', got 'none'"),
        (dict(learn=('theta', 'rho')), r"learn must be .* got \('theta', 'rho'\)"),
        (dict(channels=0), 'channels must be >= 1, got 0'),
    ],
    ids=[
        'unknown_stage',
        'stages_text',
        'no_stages',
        'ends_with_conv',
        'conv_after_conv',
        'normalize',
        'expand_kernel_size',
        'fusion',
        'zero_init_norm',
        'learn',
        'channels',
    ],
)
def test_bad_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        build_block(**arguments)
