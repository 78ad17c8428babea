import numpy as np
import pytest
import torch
import torch.nn.functional as F

from repflow_mm.models.backbones import RepFlowResNet, RepFlowResNet3d
from repflow_mm.models.convert import convert_released_weights, fit_to
from repflow_mm.models.layers import FlowBlock, RepresentationFlow

FCF = dict(
    after='block3', steps=('flow', 'conv', 'flow'), expand_kernel_size=3, fusion='add', normalize='batch', num_iters=2
)


def layer_state(channels, seed=0, learned=('t', 'l', 'a')):
    """A state dict as the layer of February 2019 has it, away from its start values."""
    generator = torch.Generator().manual_seed(seed)
    starts = dict(
        img_grad=torch.tensor([-0.5, 0, 0.5]).reshape(1, 1, 1, 3), f_grad=torch.tensor([-1.0, 1]).reshape(1, 1, 1, 2)
    )
    starts['div'] = starts['f_grad']
    state = {}
    for name, start in starts.items():
        for key, taps in ((name, start), (f'{name}2', start.transpose(2, 3))):
            taps = taps.expand(channels, *taps.shape[1:])
            state[key] = taps + 0.05 * torch.randn(taps.shape, generator=generator)
    state.update(
        {name: torch.tensor([value]) for name, value in (('t', 0.35), ('l', 0.2), ('a', 0.2)) if name in learned}
    )
    return state


def original_layer(state, first, second, num_iters):
    """The authors' layer, pixel by pixel and in numpy: planes (N, C, H, W) -> u_x, u_y."""
    taps = {
        name: value.double().numpy().squeeze((1, 2 if value.shape[2] == 1 else 3))
        for name, value in state.items()
        if value.ndim == 4
    }
    theta, lam, tau = (
        state[name].double().item() if name in state else start
        for name, start in (('t', 0.3), ('l', 0.15), ('a', 0.25))
    )
    f1, f2 = first.double().numpy(), second.double().numpy()
    n, channels = f1.shape[:2]
    u = np.zeros((2, *f1.shape))
    for k in range(n):
        for c in range(channels):
            u[:, k, c] = original_plane(
                f1[k, c], f2[k, c], {key: value[c] for key, value in taps.items()}, theta, lam, tau, num_iters
            )
    return torch.from_numpy(u[0]), torch.from_numpy(u[1])


def original_plane(f1, f2, taps, theta, lam, tau, num_iters):
    height, width = f1.shape
    g = np.zeros((2, height, width))
    for y in range(height):
        for x in range(width):
            g[0, y, x] = one_sided(f1[y], x) if x in (0, width - 1) else taps['img_grad'] @ f2[y, x - 1 : x + 2]
            g[1, y, x] = one_sided(f1[:, x], y) if y in (0, height - 1) else taps['img_grad2'] @ f2[y - 1 : y + 2, x]
    squared = (g**2).sum(0) + 1e-12
    u, p = np.zeros((2, height, width)), np.zeros((2, 2, height, width))
    for _ in range(num_iters):
        rho = f2 - f1 + (g * u).sum(0) + 1e-12
        low, high = rho < -lam * theta * squared, rho > lam * theta * squared
        between = ~low & ~high & (squared > 1e-12)
        d = np.where(low, lam * theta, 0) + np.where(high, -lam * theta, 0) + np.where(between, -rho / squared, 0)
        for i in range(2):
            u[i] = u[i] + d * g[i] + theta * original_divergence(p[i], taps)
            along = original_gradient(u[i], taps)
            p[i] = (p[i] + tau / theta * along) / (1 + tau / theta * np.sqrt((along**2).sum(0) + 1e-12))
    return u


def one_sided(line, position):
    return 0.5 * (line[1] - line[0]) if position == 0 else 0.5 * (line[-1] - line[-2])


def original_gradient(u, taps):
    along = np.zeros((2, *u.shape))
    along[0, :, :-1] = taps['f_grad'][0] * u[:, :-1] + taps['f_grad'][1] * u[:, 1:]
    along[1, :-1] = taps['f_grad2'][0] * u[:-1] + taps['f_grad2'][1] * u[1:]
    return along


def original_divergence(p, taps):
    height, width = p.shape[1:]
    div = np.zeros((height, width))
    for x in range(width):
        before, here = (p[0][:, x - 1] if x else 0), (p[0][:, x] if x < width - 1 else 0)
        div[:, x] += taps['div'][0] * before + taps['div'][1] * here
    for y in range(height):
        before, here = (p[1][y - 1] if y else 0), (p[1][y] if y < height - 1 else 0)
        div[y] += taps['div2'][0] * before + taps['div2'][1] * here
    return div


def original_flow(state, x, num_iters):
    """The authors' use of it: normalised over the batch with their sign, (N, C, T, H, W) -> (N, 2C, T-1, H, W)."""
    x = 255 * (x - x.min()) / (x.min() - x.max())
    pairs = [original_layer(state, x[:, :, t], x[:, :, t + 1], num_iters) for t in range(x.shape[2] - 1)]
    return torch.stack([torch.cat(pair, dim=1) for pair in pairs], dim=2)


@pytest.mark.parametrize('learned', [('t', 'l', 'a'), ()], ids=['scalars', 'no_scalars'])
def test_layer_computes_what_the_original_does(learned):
    state = layer_state(3, learned=learned)
    conversion = convert_released_weights(state)
    layer = RepresentationFlow(3, num_iters=5).double()
    layer.load_state_dict(conversion.state_dict)
    x = torch.rand(2, 3, 3, 7, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected = original_flow(state, x, 5)
    ours = layer((x - x.min()) / (x.max() - x.min()) * 255)
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)
    assert len(conversion.mapped) == len(state) and not conversion.left
    assert conversion.assumed == [f'raw_{name}' for name in ('theta', 'lam', 'tau') if not learned]


def fcf_state(in_channels, seed=0):
    """The parts of the authors' network that make up its flow-of-flow block."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {
        'flow_cmp.weight': (32, in_channels, 1, 1, 1),
        'flow_conv.weight': (64, 64, 1, 3, 3),
        'flow_cmp2.weight': (32, 64, 1, 1, 1),
        'flow_conv2.weight': (in_channels, 64, 1, 3, 3),
        **{f'bnf.{name}': (in_channels,) for name in ('weight', 'bias', 'running_mean')},
    }
    state = {name: torch.randn(shape, generator=generator) / 8 for name, shape in shapes.items()}
    state['bnf.running_var'] = torch.full((in_channels,), 2.0)
    state['bnf.num_batches_tracked'] = torch.tensor(5)
    for layer, number in (('flow_layer', seed + 1), ('flow_layer2', seed + 2)):
        state.update({f'{layer}.{name}': value for name, value in layer_state(32, number).items()})
    return state


def test_block_computes_what_the_original_does():
    state = fcf_state(4)
    weights = {name: value.double() for name, value in state.items()}
    layers = [
        {name.split('.')[1]: value for name, value in state.items() if name.startswith(f'{layer}.')}
        for layer in ('flow_layer', 'flow_layer2')
    ]
    x = torch.rand(1, 4, 4, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    flow = original_flow(layers[0], F.conv3d(x, weights['flow_cmp.weight']), 3)
    flow = F.conv3d(flow, weights['flow_conv.weight'], padding=(0, 1, 1))
    flow = original_flow(layers[1], F.conv3d(flow, weights['flow_cmp2.weight']), 3)
    flow = F.conv3d(flow, weights['flow_conv2.weight'], padding=(0, 1, 1))
    normed = F.batch_norm(flow, *(weights[f'bnf.{name}'] for name in ('running_mean', 'running_var', 'weight', 'bias')))
    expected = F.relu(normed + F.avg_pool3d(x, (3, 1, 1), 1))

    conversion = convert_released_weights({f'module.{name}': value for name, value in state.items()})
    prefix = 'backbone.flow_blocks.block3.'
    options = {key: value for key, value in FCF.items() if key != 'after'}
    block = FlowBlock(4, **{**options, 'num_iters': 3})
    block.double().eval()
    block.load_state_dict({name.removeprefix(prefix): value for name, value in conversion.state_dict.items()})
    assert not conversion.left
    torch.testing.assert_close(block(x), expected, atol=1e-4, rtol=1e-4)


def network_state(bottleneck, blocks, num_classes=150):
    """Names and shapes of the authors' network."""
    expansion, width = (4 if bottleneck else 1), 64
    state = {'conv1.weight': torch.rand(64, 3, 7, 7, 7), **norm('bn1', 64)}
    for i, count in enumerate(blocks):
        planes = 64 * 2**i
        for j in range(count):
            name = f'layer{i + 1}.{j}'
            if bottleneck:
                kernels = ((planes, width, 3, 1, 1), (planes, planes, 1, 3, 3), (4 * planes, planes, 1, 1, 1))
            else:
                kernels = ((planes, width, 1, 3, 3), (planes, planes, 3, 3, 3))
            for k, shape in enumerate(kernels, start=1):
                state.update({f'{name}.conv{k}.weight': torch.rand(shape), **norm(f'{name}.bn{k}', shape[0])})
            if j == 0 and (i > 0 or bottleneck):
                down = (planes * expansion, width, 1, 1, 1)
                state[f'{name}.downsample.0.weight'] = torch.rand(down)
                state.update(norm(f'{name}.downsample.1', down[0]))
            width = planes * expansion
    head = {'fc.weight': torch.rand(num_classes, width), 'fc.bias': torch.rand(num_classes)}
    return {**fcf_state(128 * expansion), **state, **head}


def norm(name, channels):
    vectors = {f'{name}.{key}': torch.rand(channels) for key in ('weight', 'bias', 'running_mean', 'running_var')}
    return {**vectors, f'{name}.num_batches_tracked': torch.tensor(1)}


def target_state(backbone, num_classes=150):
    head = {'fc_cls.weight': torch.zeros(num_classes, backbone.feat_dim), 'fc_cls.bias': torch.zeros(num_classes)}
    return {
        **{f'backbone.{name}': value for name, value in backbone.state_dict().items()},
        **{f'cls_head.{name}': value for name, value in head.items()},
    }


def test_bottleneck_network_fits_resnet3d():
    backbone = RepFlowResNet3d(
        50, flow=FCF, conv1_kernel=(7, 7, 7), inflate_style='3x1x1', inflate=(1, 1, 1, 1), with_pool2=False
    )
    released = network_state(True, (3, 4, 6, 3))
    conversion = fit_to(convert_released_weights(released), target_state(backbone))
    assert not conversion.left and not conversion.unset and not conversion.assumed
    assert len(conversion.mapped) == len(released)
    ours = conversion.state_dict
    torch.testing.assert_close(
        ours['backbone.layer2.0.downsample.conv.weight'], released['layer2.0.downsample.0.weight']
    )
    torch.testing.assert_close(ours['backbone.conv1.bn.running_var'], released['bn1.running_var'])
    assert any('frames -1, 1, 3' in note for note in conversion.notes)
    assert conversion.report()[0] == f'{len(released)} of {len(released)} tensors mapped, 0 left:'


def test_basic_network_and_other_targets():
    released = network_state(False, (2, 2, 2, 2))
    converted = convert_released_weights({'extra': torch.ones(1), **released})
    assert converted.left == {'extra': 'it has no counterpart'}
    target = target_state(RepFlowResNet3d(18, flow=FCF, conv1_kernel=(7, 7, 7), with_pool2=False), num_classes=400)
    conversion = fit_to(converted, target)
    assert conversion.left.keys() == {'extra', 'fc.weight', 'fc.bias'}
    assert conversion.left['fc.bias'] == 'its shape (150,) does not fit cls_head.fc_cls.bias (400,)'
    assert set(conversion.unset) == {'cls_head.fc_cls.weight', 'cls_head.fc_cls.bias'}
    spatial = conversion.state_dict['backbone.layer1.0.conv1.conv.weight']
    torch.testing.assert_close(spatial[:, :, 1], released['layer1.0.conv1.weight'][:, :, 0])
    assert spatial[:, :, ::2].abs().max() == 0

    conversion = fit_to(converted, target_state(RepFlowResNet(18, flow=FCF)))
    temporal = {f'layer{i}.{j}.conv2.weight' for i in (1, 2, 3, 4) for j in (0, 1)}
    assert conversion.left.keys() == {'extra', 'conv1.weight', *temporal}
    assert conversion.state_dict['backbone.layer1.0.conv1.conv.weight'].shape == (64, 64, 3, 3)


def test_report_names_what_is_left_and_what_differs():
    state = layer_state(2, learned=('t', 'l'))
    state['l'] = torch.tensor([-0.5])
    conversion = convert_released_weights({**state, 'other': torch.ones(1)}, prefix='flow0.')
    report = conversion.report()
    assert report[0] == '8 of 9 tensors mapped, 1 left:'
    assert '  t -> flow0.raw_theta' in report and '  other: left, it has no counterpart' in report
    assert '  flow0.raw_tau: not in the file, as it was not learned; set to its start value' in report
    assert 'note: l is -0.5; our layer computes with 0.0001, so it differs' in report


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(img_grad=torch.zeros(2, 2, 1, 3)), r'img_grad has shape \(2, 2, 1, 3\), as in .* June 2019'),
        (dict(f_grad=torch.zeros(2, 1, 2, 1)), r'f_grad has shape \(2, 1, 2, 1\), as in .* June 2019'),
        (dict(t=torch.zeros(2)), r't must have shape \(1,\), got \(2,\)'),
        (dict(div2=torch.zeros(3, 1, 2, 1)), r'div2 must have shape \(2, 1, 2, 1\), got \(3, 1, 2, 1\)'),
    ],
    ids=['channels_mixed', 'vertical', 'scalar', 'channels'],
)
def test_other_weights_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        convert_released_weights({**layer_state(2), **changes})


def test_missing_terms_are_named():
    state = layer_state(2)
    del state['div2']
    with pytest.raises(ValueError, match='div2 is missing, which the .* layer of February 2019 has'):
        convert_released_weights(state)
    with pytest.raises(ValueError, match=r"neither 'img_grad' nor .* among the 1 names, .* \['conv1.weight'\]"):
        convert_released_weights({'conv1.weight': torch.ones(1)})
