"""The fused solvers as operators of PyTorch, by the example of the CPU's."""

import pytest
import torch

from repflow_mm.ops import rep_flow
from repflow_mm.ops.cpu import operator as cpu
from repflow_mm.testing.parity import Case, draw, evaluate

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
    def solver(x, *terms_and_num_iters):
        return rep_flow(x * 2, *terms_and_num_iters, backend=backend).neg()

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


def test_second_derivative_is_refused():
    x = (torch.rand(SHAPE) * 255).requires_grad_()
    (grad_x,) = torch.autograd.grad(flow(x).square().sum(), x, create_graph=True)
    with pytest.raises(NotImplementedError, match="no second derivatives; pass backend='reference'"):
        grad_x.sum().backward()


def test_saves_the_inputs_alone():
    inputs, _ = draw(Case(SHAPE), seed=0)
    inputs = [tensor.requires_grad_() for tensor in inputs]
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: saved.append(tensor.data_ptr()), lambda _: None):
        torch.ops.repflow_mm.rep_flow_cpu(*inputs, 4)
    assert sorted(saved) == sorted(tensor.data_ptr() for tensor in inputs)
