import pytest
import torch
from mmaction.registry import MODELS
from torch.testing import assert_close

import repflow_mm.models  # noqa: F401
from repflow_mm.models import FlowBlock
from repflow_mm.models.layers.folding import average_neighbours, fold_time, repeat_last, unfold_time
from repflow_mm.ops import normalize_flow_input

N, C, T, H, W = 2, 6, 5, 7, 8
STEPS = [('flow',), ('flow', 'flow'), ('flow', 'conv', 'flow')]
FUSIONS = ['none', 'add', 'concat']


@pytest.fixture
def clips():
    frames = torch.randn(N * T, C, H, W, generator=torch.Generator().manual_seed(0))
    return unfold_time(frames, T)


def build_block(seed=0, **kwargs):
    torch.manual_seed(seed)
    return FlowBlock(C, **{'channels': 4, 'num_iters': 3, **kwargs})


def steps_id(steps):
    return '-'.join(steps)


@pytest.mark.parametrize('keep_length', [False, True], ids=['shorten', 'keep'])
@pytest.mark.parametrize('fusion', FUSIONS)
@pytest.mark.parametrize('steps', STEPS, ids=steps_id)
def test_output_shape(clips, steps, fusion, keep_length):
    block = build_block(steps=steps, fusion=fusion, keep_length=keep_length).eval()
    assert block(clips).shape == (N, C, T if keep_length else T - steps.count('flow'), H, W)


@pytest.mark.parametrize('keep_length', [False, True], ids=['shorten', 'keep'])
@pytest.mark.parametrize('fusion', FUSIONS)
@pytest.mark.parametrize('steps', STEPS, ids=steps_id)
def test_channels_last_is_kept(clips, steps, fusion, keep_length):
    block = build_block(steps=steps, fusion=fusion, keep_length=keep_length).eval()
    expected = block(clips)
    block.to(memory_format=torch.channels_last)
    out = block(clips.contiguous(memory_format=torch.channels_last_3d))
    assert out.is_contiguous(memory_format=torch.channels_last_3d)
    assert fold_time(out).is_contiguous(memory_format=torch.channels_last)
    assert_close(out, expected, rtol=1e-4, atol=1e-4)


def test_layout_in_memory_does_not_matter(clips):
    block = build_block(fusion='add').eval()
    assert_close(block(clips.contiguous()), block(clips), rtol=0, atol=0)


@pytest.mark.parametrize('fusion', FUSIONS)
@pytest.mark.parametrize('steps', STEPS, ids=steps_id)
def test_every_parameter_gets_a_gradient(clips, steps, fusion):
    learn = ('theta', 'lam', 'tau', 'div', 'image_gradient')
    block = build_block(steps=steps, fusion=fusion, learn=learn)
    out = block(clips)
    (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(1))).sum().backward()
    for name, parameter in block.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.any(), name


def test_single_flow_is_reduce_normalise_flow_expand_norm(clips):
    block = build_block().eval()
    reduced = unfold_time(block.reduce(fold_time(clips)), T)
    u = block.steps['flow0'](normalize_flow_input(reduced))
    out = block(clips)
    assert out.shape[2] == T - 1
    assert_close(fold_time(out), block.norm(block.expand(fold_time(u))))


@pytest.mark.parametrize('fusion', ['add', 'concat'])
def test_flow_is_fused_with_the_mean_of_the_frames_it_is_made_of(clips, fusion):
    steps = ('flow', 'conv', 'flow')
    alone = fold_time(build_block(steps=steps, fusion='none').eval()(clips))
    block = build_block(steps=steps, fusion=fusion).eval()
    features = fold_time(average_neighbours(clips, 3))
    joined = features + alone if fusion == 'add' else block.fuse(torch.cat((features, alone), 1))
    block.load_state_dict(build_block(steps=steps).state_dict(), strict=False)
    assert_close(fold_time(block(clips)), joined.relu())


@pytest.mark.parametrize('steps', STEPS, ids=steps_id)
def test_kept_length_repeats_the_last_flow(clips, steps):
    short = build_block(steps=steps).eval()(clips)
    kept = build_block(steps=steps, keep_length=True).eval()(clips)
    length = T - steps.count('flow')
    assert_close(kept[:, :, :length], short, rtol=0, atol=0)
    assert_close(kept[:, :, length:], short[:, :, -1:].expand(-1, -1, T - length, -1, -1), rtol=0, atol=0)


@pytest.mark.parametrize('fusion', FUSIONS)
def test_kept_length_fuses_with_the_frames_as_they_are(clips, fusion):
    block = build_block(fusion=fusion, keep_length=True).eval()
    assert block.replaces_features == (fusion == 'none')
    assert_close(block(clips), block.join(clips, repeat_last(block.flow(clips), T)), rtol=0, atol=0)


@pytest.mark.parametrize('steps', STEPS, ids=steps_id)
def test_zero_init_norm_starts_as_the_residual(clips, steps):
    options = dict(steps=steps, fusion='add', zero_init_norm=True)
    kept, short = build_block(**options, keep_length=True), build_block(**options)
    for block in (kept, short):
        block.init_weights()
    assert_close(kept(clips), clips.relu(), rtol=0, atol=0)
    assert_close(short(clips), average_neighbours(clips, steps.count('flow') + 1).relu(), rtol=0, atol=0)


@pytest.mark.parametrize('steps', STEPS, ids=steps_id)
def test_a_clip_does_not_depend_on_its_batch_mates(clips, steps):
    block = build_block(steps=steps).eval()
    together = block(clips)
    assert_close(together[1:], block(clips[1:]), rtol=1e-4, atol=1e-5)
    changed = clips.clone()
    changed[0] = 100 * changed[0] + 7
    changed = block(changed)
    assert_close(changed[1], together[1], rtol=1e-4, atol=1e-5)
    assert (changed[0] - together[0]).abs().max() > 1e-3


def test_start_values_and_scale_are_those_of_every_flow_layer(clips):
    arguments = dict(theta=0.5, lam=0.2, tau=0.125, normalize='clip_rms')
    block = FlowBlock(6, channels=4, steps=('flow', 'conv', 'flow'), **arguments)
    seen = []
    for layer in (block.steps['flow0'], block.steps['flow2']):
        assert [float(term) for term in (layer.theta, layer.lam, layer.tau)] == pytest.approx([0.5, 0.2, 0.125])
        layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    block(clips)
    assert len(seen) == 2
    for x in seen:
        assert_close(x.square().mean((1, 2, 3, 4)).sqrt(), torch.full((len(clips),), 64.0))


def test_batch_scope_is_that_of_the_released_code(clips):
    block = build_block(normalize='batch').eval()
    together = block(clips)
    changed = clips.clone()
    changed[0] *= 100
    assert (block(changed)[1] - together[1]).abs().max() > 1e-3


@pytest.mark.parametrize('steps', STEPS[1:], ids=steps_id)
def test_all_outputs_are_averaged_and_normalised_before_they_are_expanded(clips, steps):
    block = build_block(steps=steps, outputs='all').eval()
    flows = []
    for step in block.steps.values():
        step.register_forward_hook(lambda _, __, out: flows.append(out) if out.ndim == 5 else None)
    out = block(clips)
    first, second = flows
    joined = torch.cat(((first[:, :, :-1] + first[:, :, 1:]) / 2, second), dim=1)
    assert out.shape == (N, C, T - 2, H, W) and block.expand.in_channels == joined.shape[1]
    assert_close(fold_time(out), block.norm(block.expand(block.flow_norm(fold_time(joined)))))


@pytest.mark.parametrize('keep_length', [False, True], ids=['shorten', 'keep'])
@pytest.mark.parametrize('fusion', FUSIONS)
@pytest.mark.parametrize('steps', STEPS, ids=steps_id)
def test_all_outputs_learn_and_keep_clips_apart(clips, steps, fusion, keep_length):
    options = dict(outputs='all', init='mean', conv_padding='replicate')
    block = build_block(steps=steps, fusion=fusion, keep_length=keep_length, **options)
    out = block(clips)
    assert out.shape == (N, C, T if keep_length else T - steps.count('flow'), H, W)
    (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(1))).sum().backward()
    for name, parameter in block.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.any(), name
    block.eval()
    assert_close(block(clips[1:]), block(clips)[1:], rtol=1e-4, atol=1e-5)


def test_all_outputs_of_one_flow_are_the_last(clips):
    one, other = build_block(), build_block(outputs='all')
    assert list(one.state_dict()) == list(other.state_dict())
    other.load_state_dict(one.state_dict())
    assert_close(other(clips), one(clips), rtol=0, atol=0)


def test_options_of_flow_of_flow_keep_the_names_of_the_papers_weights():
    block = build_block(steps=('flow', 'conv', 'flow'))
    added = set(build_block(steps=('flow', 'conv', 'flow'), outputs='all', init='mean').state_dict())
    assert {key.split('.')[0] for key in added - set(block.state_dict())} == {'flow_norm'}


def test_replicate_keeps_a_steady_flow_steady_at_the_edge():
    steady = torch.ones(1, 8, H, W)
    zeros, replicate = (
        build_block(steps=('flow', 'conv', 'flow'), conv_padding=padding).steps['conv1'](steady)
        for padding in ('zeros', 'replicate')
    )
    assert_close(replicate, replicate[:, :, :1, :1].expand_as(replicate))
    assert (zeros[:, :, 0] - zeros[:, :, 3]).abs().max() > 0.1


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16], ids=str)
def test_autocast(clips, dtype):
    block = build_block(steps=('flow', 'conv', 'flow'), fusion='concat', num_iters=20)
    with torch.autocast('cpu', dtype=dtype):
        out = block(clips)
    out.float().square().mean().backward()
    assert out.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in block.parameters())


def test_activation_can_be_left_out(clips):
    block = build_block(fusion='add', act_cfg=None).eval()
    assert block(clips).min() < 0 and build_block(fusion='add').eval()(clips).min() == 0


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


def test_checkpoints_with_the_old_name_of_the_steps_load(clips):
    block, other = (build_block(seed, steps=('flow', 'conv', 'flow')).eval() for seed in (0, 1))
    old = {key.replace('steps.', 'stages.'): value for key, value in block.state_dict().items()}
    assert any(key.startswith('stages.flow0.') for key in old)
    other.load_state_dict(old)
    assert_close(other(clips), block(clips), rtol=0, atol=0)


@pytest.mark.parametrize('steps', STEPS, ids=steps_id)
def test_clip_too_short(clips, steps):
    num_flows = steps.count('flow')
    with pytest.raises(ValueError, match=f'more than {num_flows} frames for the flow block, got T = {num_flows}'):
        build_block(steps=steps)(clips[:, :, :num_flows])


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(steps=('flow', 'pool')), r"steps must be a sequence of names from \('flow', 'conv'\), got .*'pool'"),
        (dict(steps='flow'), "steps must be a sequence .* got 'flow'"),
        (dict(steps=()), r'steps must be a sequence .* got \(\)'),
        (dict(steps=('flow', 'conv')), r"start and end with 'flow'.* got \('flow', 'conv'\)"),
        (dict(steps=('flow', 'conv', 'conv', 'flow')), "each 'conv' right after a 'flow', got"),
        (dict(normalize='video'), r"normalize must be one of \('clip', 'batch', 'clip_rms'\), got 'video'"),
        (dict(expand_kernel_size=5), r'expand_kernel_size must be one of \(1, 3\), got 5'),
        (dict(outputs='first'), r"outputs must be one of \('last', 'all'\), got 'first'"),
        (dict(init='zeros'), r"init must be one of \('kaiming', 'mean'\), got 'zeros'"),
        (dict(conv_padding='reflect'), r"conv_padding must be one of \('zeros', 'replicate'\), got 'reflect'"),
        (dict(fusion='mul'), r"fusion must be one of \('none', 'add', 'concat'\), got 'mul'"),
        (dict(zero_init_norm=True), "zero_init_norm=True needs fusion='add', got 'none'"),
        (dict(learn=('theta', 'rho')), r"learn must be .* got \('theta', 'rho'\)"),
        (dict(channels=0), 'channels must be >= 1, got 0'),
    ],
    ids=[
        'unknown_step',
        'steps_text',
        'no_steps',
        'ends_with_conv',
        'conv_after_conv',
        'normalize',
        'expand_kernel_size',
        'outputs',
        'init',
        'conv_padding',
        'fusion',
        'zero_init_norm',
        'learn',
        'channels',
    ],
)
def test_bad_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        build_block(**arguments)
