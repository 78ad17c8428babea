"""Registers a fused solver with PyTorch: schema, fake implementation, autograd, vmap, function transforms."""

from __future__ import annotations

from collections.abc import Callable, Collection

import torch
from torch import Tensor
from torch.autograd import forward_ad

from repflow_mm.ops.arguments import check_arguments, check_shape
from repflow_mm.ops.reference import rep_flow_ref

LIBRARY = torch.library.Library('repflow_mm', 'FRAGMENT')
INPUTS = 'Tensor x, Tensor theta, Tensor lam, Tensor tau, Tensor image_kernel, Tensor flow_kernel, Tensor div_kernel'
FORWARD_SCHEMA = f'({INPUTS}, SymInt num_iters) -> Tensor'
BACKWARD_SCHEMA = f'(Tensor grad_u, {INPUTS}, SymInt num_iters) -> ({", ".join(["Tensor"] * 7)})'


def register(name: str, forward: Callable[..., Tensor], backward: Callable[..., tuple[Tensor, ...]]) -> Callable:
    """Make two launchers one differentiable operator ``repflow_mm::<name>``.

    Args:
        name (str): The operator's name; that of its backward pass has ``_backward`` behind it.
        forward (Callable): ``forward(x, theta, lam, tau, image_kernel, flow_kernel, div_kernel, num_iters)``, all
            but ``num_iters`` tensors of x's dtype and device, returns u, (N, 2C, T-1, H, W), contiguous.
        backward (Callable): ``backward(grad_u, ...)`` with the same arguments behind it returns the gradients of
            the seven tensors in their order, each contiguous and of its tensor's shape.

    Returns:
        Callable: What calls the operator; it takes what ``forward`` takes. Its second derivatives are those of
        :func:`rep_flow_ref`, which they run.
    """
    forward_op = _define(name, FORWARD_SCHEMA, forward, _fake_forward)
    backward_op = _define(f'{name}_backward', BACKWARD_SCHEMA, backward, _fake_backward)
    differentiate = _transformable(backward_op, _second_derivatives)

    def gradients(ctx, grad_u):
        return (*differentiate(grad_u, *ctx.saved_tensors, ctx.num_iters), None)

    return _transformable(forward_op, gradients)


def _transformable(op: Callable, backward: Callable) -> Callable:
    """Make an operator differentiable, and return what calls it under the transforms of ``torch.func`` too.

    Those take none of the functions that ``register_autograd`` makes, but one with a ``setup_context``.
    """
    torch.library.register_autograd(op, backward, setup_context=_save_inputs, lib=LIBRARY)
    members = dict(forward=op.__call__, setup_context=_save_inputs, backward=backward, vmap=_loop_over(op))
    members = {name: staticmethod(member) for name, member in members.items()}
    function = type(f'{op.__name__}_function', (torch.autograd.Function,), members)

    def call(*inputs):
        is_transformed = not torch.compiler.is_compiling() and torch._C._are_functorch_transforms_active()
        return function.apply(*inputs) if is_transformed else op(*inputs)

    return call


def _define(name: str, schema: str, launch: Callable, fake: Callable) -> Callable:
    """An operator of that launcher on every device, which says itself where it runs.

    ``torch.library.custom_op`` would load the compiler, which takes seconds, with the first call.
    """
    LIBRARY.define(name + schema, tags=torch.Tag.pt2_compliant_tag)
    LIBRARY.impl(name, launch, 'CompositeExplicitAutograd')
    op = getattr(torch.ops.repflow_mm, name).default
    torch.library.register_fake(op, fake, lib=LIBRARY)
    torch.library.register_vmap(op, _loop_over(op), lib=LIBRARY)
    return op


def forward_mode_reasons() -> list[str]:
    """Why no fused solver runs where forward-mode derivatives are taken; empty elsewhere."""
    if forward_ad._current_level < 0:
        return []
    return ["forward-mode derivatives are being taken (supported: backend='reference')"]


def check_launch(
    devices: Collection[str],
    dtypes: Collection[torch.dtype],
    *inputs: Tensor | int,
    grad_u: Tensor | None = None,
) -> None:
    """What a launcher checks first, because its kernels get addresses and would read and write out of bounds.

    Args:
        devices (Collection[str]): The device types that its kernels run on.
        dtypes (Collection[torch.dtype]): The dtypes that its kernels take.
        *inputs (Tensor | int): The operator's: x, theta, lam, tau, the three kernels, and ``num_iters``.
        grad_u (Tensor, optional): The gradient of u, in a backward pass.

    Raises:
        TypeError: If the tensors are not all on one such device and of one such dtype.
        ValueError: If a shape or ``num_iters`` is not allowed.
        NotImplementedError: If forward-mode derivatives are being taken, which would be lost.
    """
    x = inputs[0]
    tensors = inputs[:-1] if grad_u is None else (*inputs[:-1], grad_u)
    fits = x.device.type in devices and x.dtype in dtypes
    for tensor in tensors:
        if not fits or (tensor.dtype, tensor.device) != (x.dtype, x.device):
            names = ' or all '.join(str(dtype).removeprefix('torch.') for dtype in dtypes)
            raise TypeError(
                f'rep_flow: the solver takes tensors on one device ({" or ".join(devices)}), all {names}, '
                f'got {tensor.dtype} on {tensor.device} with x {x.dtype} on {x.device}'
            )
    check_arguments(*inputs)
    if grad_u is not None:
        n, c, t, h, w = x.shape
        check_shape('grad_u', grad_u, (n, 2 * c, t - 1, h, w))
    if reasons := forward_mode_reasons():
        raise NotImplementedError(f'rep_flow: {reasons[0]}')


def _fake_forward(x, theta, lam, tau, image_kernel, flow_kernel, div_kernel, num_iters):
    n, c, t, h, w = x.shape
    return x.new_empty((n, 2 * c, t - 1, h, w))


def _fake_backward(grad_u, *inputs):
    return tuple(tensor.new_empty(tensor.shape) for tensor in inputs[:-1])


def _save_inputs(ctx, inputs, output):
    *tensors, ctx.num_iters = inputs
    ctx.save_for_backward(*tensors)


def _second_derivatives(ctx, *grads):
    """Gradients of the gradients, by those of the reference solver, which have gradients of every order."""

    def first_derivatives(grad_u, *inputs):
        _, pull_back = torch.func.vjp(lambda *inputs: rep_flow_ref(*inputs, ctx.num_iters), *inputs)
        return pull_back(grad_u)

    _, pull_back = torch.func.vjp(first_derivatives, *ctx.saved_tensors)
    return *pull_back(grads), None


def _loop_over(op: Callable) -> Callable:
    """A vmap rule that calls ``op`` once per example, whichever arguments are batched."""

    def rule(info, in_dims, *arguments):
        results = [
            op(*(a if dim is None else a.select(dim, i) for a, dim in zip(arguments, in_dims)))
            for i in range(info.batch_size)
        ]
        if isinstance(results[0], Tensor):
            return torch.stack(results), 0
        return tuple(torch.stack(outputs) for outputs in zip(*results)), (0,) * len(results[0])

    return rule
