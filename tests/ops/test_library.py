"""The fused solvers as operators of PyTorch, by the example of the CPU's."""

import functools

import pytest
import torch
from torch.autograd import forward_ad

from repflow_mm.ops import rep_flow, rep_flow_ref
from repflow_mm.ops.cpu import operator as cpu
from repflow_mm.testing.parity import NAMES, Case, draw, evaluate

pytestmark = pytest.mark.skipif(bool(cpu.unsupported_reasons(torch.empty(1))), reason='no C compiler')

SHAPE = (2, 3, 4, 7, 9)


def flow(x, theta=0.3):
    return rep_flow(x, theta, 0.15, 0.25, num_iters=4, backend='cpu')


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64], ids=str)
def test_opcheck(dtype):
    inputs, grad_u = draw(Case(SHAPE, learned=True), seed=0)
    inputs = [tensor.to(dtype).requires_grad_() for tensor in inputs]
    torch.library.opcheck(torch.ops.repflow_mm.rep_flow_cpu.default, (*inputs, 4))
    inputs = [tensor.detach() for tensor in inputs]
    torch.library.opcheck(torch.ops.repflow_mm.rep_flow_cpu_backward.default, (grad_u.to(dtype), *inputs, 4))


@pytest.mark.parametrize('backend', ['auto', 'cpu'])
def test_compiles_without_graph_break(backend):
    def solver(x, *scalars, **kernels_and_num_iters):
        return rep_flow(x * 2, *scalars, **kernels_and_num_iters, backend=backend).neg()

    torch.compiler.reset()
    inputs, grad_u = draw(Case(SHAPE), seed=0)
    expected = evaluate(solver, inputs, grad_u, 4)
    actual = evaluate(torch.compile(solver, fullgraph=True, backend='aot_eager'), inputs, grad_u, 4)
    for name, value in expected.items():
        torch.testing.assert_close(actual[name], value, msg=name)


@pytest.mark.parametrize('strict', [True, False])
def test_exports_with_dynamic_batch(strict):
    class Flow(torch.nn.Module):
        def forward(self, x):
            return rep_flow(x, 0.3, 0.15, 0.25, num_iters=4)

    x = torch.rand(SHAPE) * 255
    batch = {'x': {0: torch.export.Dim('batch', min=1, max=64)}}
    program = torch.export.export(Flow(), (x,), dynamic_shapes=batch, strict=strict)
    assert 'repflow_mm.rep_flow_cpu' in program.graph_module.print_readable(print_output=False)
    doubled = torch.cat((x, x.flip(0)))
    assert torch.equal(program.module()(doubled), flow(doubled))


@pytest.mark.parametrize('dim', [0, 2])
def test_vmap_over_features(dim):
    x = torch.rand(3, *SHAPE) * 255
    expected = torch.stack([flow(example) for example in x])
    assert torch.equal(torch.func.vmap(flow, in_dims=dim)(x.movedim(0, dim)), expected)


def test_vmap_over_theta_and_its_gradient():
    x, theta = torch.rand(SHAPE) * 255, torch.tensor([0.2, 0.3, 0.4], requires_grad=True)
    u = torch.func.vmap(flow, in_dims=(None, 0))(x, theta)
    expected = torch.stack([flow(x, value) for value in theta])
    assert torch.equal(u, expected)
    weight = torch.randn_like(u)
    torch.testing.assert_close(*(torch.autograd.grad((v * weight).sum(), theta)[0] for v in (u, expected)))


def test_vmap_over_gradients():
    inputs, grad_u = draw(Case((1, 2, 3, 5, 6)), seed=0)
    grads_u = torch.stack((grad_u, -2 * grad_u))
    op = torch.ops.repflow_mm.rep_flow_cpu_backward
    actual = torch.func.vmap(lambda grad: op(grad, *inputs, 4))(grads_u)
    for i, grad in enumerate(grads_u):
        for batched, single in zip(actual, op(grad, *inputs, 4)):
            assert torch.equal(batched[i], single)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_is_solved_in_float32(dtype):
    x = (torch.rand(SHAPE) * 255).to(dtype)
    expected = flow(x.float())
    assert torch.equal(flow(x), expected.to(dtype))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        u = flow(x)
    assert u.dtype == torch.float32 and torch.equal(u, expected)


def test_autocast_leaves_the_gradient_in_the_features_dtype():
    x = (torch.rand(SHAPE) * 255).bfloat16().requires_grad_()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        flow(x).sum().backward()
    assert x.grad.dtype == torch.bfloat16 and x.grad.isfinite().all()


@pytest.mark.parametrize('shape', [(0, 3, 4, 7, 9), (2, 0, 4, 7, 9)])
def test_empty(shape):
    inputs, grad_u = draw(Case(shape), seed=0)
    values = evaluate(rep_flow, inputs, grad_u, 4, backend='cpu')
    assert values['u'].shape == grad_u.shape
    for name, tensor in zip(('x', 'theta', 'lam', 'tau', 'image_kernel'), inputs):
        assert torch.equal(values[name], torch.zeros_like(tensor)), name


def energy(x, theta, backend):
    return rep_flow(x, theta, 0.15, 0.25, num_iters=4, backend=backend).square().sum()


def double_clip():
    return torch.rand(SHAPE, dtype=torch.float64) * 255, torch.tensor(0.3, dtype=torch.float64)


@pytest.mark.parametrize('order', [2, 3])
def test_higher_derivatives_are_those_of_the_reference(order):
    values = {}
    for backend in ('cpu', 'reference'):
        torch.manual_seed(0)
        inputs = [tensor.requires_grad_() for tensor in double_clip()]
        value = energy(*inputs, backend)
        for _ in range(order):
            grads = torch.autograd.grad(value, inputs, create_graph=True)
            value = sum(grad.square().mean() for grad in grads)
        values[backend] = grads
    for fused, reference in zip(values['cpu'], values['reference']):
        assert reference.abs().max() > 0
        torch.testing.assert_close(fused, reference)


def test_vmap_over_gradients_of_examples():
    x, theta = double_clip()
    gradient = torch.func.grad(lambda clip, theta: energy(clip[None], theta, 'cpu'), argnums=(0, 1))
    actual = torch.func.vmap(gradient, in_dims=(0, None))(x, theta)
    expected = [gradient(clip, theta) for clip in x]
    for k, name in enumerate(('x', 'theta')):
        assert torch.equal(actual[k], torch.stack([grads[k] for grads in expected])), name


def test_gradient_of_a_gradient_under_transforms():
    x, theta = double_clip()

    def steepness(x, backend):
        return torch.func.grad(energy, argnums=1)(x, theta, backend).square()

    fused, reference = (torch.func.grad(steepness)(x, backend) for backend in ('cpu', 'reference'))
    torch.testing.assert_close(fused, reference)


def test_jacobian_under_transforms():
    x, theta = double_clip()
    fused, reference = (
        torch.func.jacrev(functools.partial(rep_flow, num_iters=4, backend=backend), argnums=1)(x, theta, 0.15, 0.25)
        for backend in ('cpu', 'reference')
    )
    torch.testing.assert_close(fused, reference)


def test_forward_mode_takes_the_reference_and_gives_no_zeros():
    x, tangent = torch.rand(SHAPE) * 255, torch.randn(SHAPE)
    derivative = torch.func.jvp(lambda x: rep_flow(x, 0.3, 0.15, 0.25, num_iters=4), (x,), (tangent,))[1]
    expected = torch.func.jvp(lambda x: rep_flow_ref(x, 0.3, 0.15, 0.25, num_iters=4), (x,), (tangent,))[1]
    assert torch.equal(derivative, expected) and derivative.abs().max() > 0


def test_forward_mode_is_refused_by_name():
    x, tangent = torch.rand(SHAPE) * 255, torch.randn(SHAPE)
    message = r"cannot run\n.*\n  - forward-mode derivatives are being taken \(supported: backend='reference'\)"
    with pytest.raises(NotImplementedError, match=message):
        torch.func.jvp(flow, (x,), (tangent,))
    theta = torch.tensor(0.3)
    with forward_ad.dual_level(), pytest.raises(NotImplementedError, match=message):
        flow(x, forward_ad.make_dual(theta, torch.ones_like(theta)))


def test_forward_mode_is_refused_by_the_operator():
    inputs, _ = draw(Case(SHAPE), seed=0)
    with forward_ad.dual_level(), pytest.raises(NotImplementedError, match='rep_flow: forward-mode derivatives are'):
        torch.ops.repflow_mm.rep_flow_cpu(forward_ad.make_dual(inputs[0], inputs[0]), *inputs[1:], 4)


BAD_INPUTS = {
    'rank': (dict(x=torch.rand(2, 3, 4, 5)), r'x must have shape \(N, C, T, H, W\), got 4 dimensions'),
    'one_row': (dict(x=torch.rand(2, 3, 4, 1, 9)), r'x must have H >= 2, got H = 1 in shape \(2, 3, 4, 1, 9\)'),
    'channels': (dict(x=torch.rand(2, 4, 4, 7, 9)), r'image_kernel must have shape \(2, 4, 3, 3\), got \(2, 3, 3, 3\)'),
    'scalar': (dict(lam=torch.rand(2)), r'lam must be a number or a tensor of one element, got shape \(2,\)'),
    'image_kernel': (dict(image_kernel=torch.rand(2, 3, 3)), r'image_kernel must have shape .* got \(2, 3, 3\)'),
    'flow_kernel': (dict(flow_kernel=torch.rand(2, 1, 2)), r'flow_kernel must have shape .* got \(2, 1, 2\)'),
    'div_kernel': (dict(div_kernel=torch.rand(3, 2)), r'div_kernel must have shape \(2, 3, 2\), got \(3, 2\)'),
    'num_iters': (dict(num_iters=-1), 'num_iters must be >= 0, got -1'),
}


@pytest.mark.parametrize('bad, message', BAD_INPUTS.values(), ids=BAD_INPUTS)
def test_operators_check_shapes_before_they_hand_out_addresses(bad, message):
    inputs, grad_u = draw(Case(SHAPE), seed=0)
    inputs = {**dict(zip(NAMES[1:], inputs)), 'num_iters': 4, **bad}
    with pytest.raises(ValueError, match=message):
        torch.ops.repflow_mm.rep_flow_cpu(*inputs.values())
    with pytest.raises(ValueError, match=message):
        torch.ops.repflow_mm.rep_flow_cpu_backward(grad_u, *inputs.values())


def test_backward_operator_checks_the_shape_of_its_gradient():
    inputs, grad_u = draw(Case(SHAPE), seed=0)
    with pytest.raises(ValueError, match=r'grad_u must have shape \(2, 6, 3, 7, 9\), got \(2, 6, 3, 7, 8\)'):
        torch.ops.repflow_mm.rep_flow_cpu_backward(grad_u[..., :8], *inputs, 4)


@pytest.mark.parametrize('dtype', [torch.float16, torch.float64], ids=str)
def test_operators_refuse_a_gradient_of_another_dtype(dtype):
    inputs, grad_u = draw(Case(SHAPE), seed=0)
    message = f'all float32 or all float64, got {dtype} on cpu with x torch.float32 on cpu'
    with pytest.raises(TypeError, match=message):
        torch.ops.repflow_mm.rep_flow_cpu_backward(grad_u.to(dtype), *inputs, 4)


def test_operators_refuse_dtypes_without_a_kernel():
    inputs = [tensor.half() for tensor in draw(Case(SHAPE), seed=0)[0]]
    with pytest.raises(TypeError, match=r'one device \(cpu\), all float32 or all float64, got torch.float16 on cpu'):
        torch.ops.repflow_mm.rep_flow_cpu(*inputs, 4)
    with pytest.raises(TypeError, match=r'one device \(cuda\), all float32, got torch.float16 on cpu'):
        torch.ops.repflow_mm.rep_flow_triton(*inputs, 4)


def test_saves_the_inputs_alone():
    inputs, _ = draw(Case(SHAPE), seed=0)
    inputs = [tensor.requires_grad_() for tensor in inputs]
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: saved.append(tensor.data_ptr()), lambda _: None):
        torch.ops.repflow_mm.rep_flow_cpu(*inputs, 4)
    assert sorted(saved) == sorted(tensor.data_ptr() for tensor in inputs)
