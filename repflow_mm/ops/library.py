"""Registers a fused solver with PyTorch: schema, fake implementation, autograd, vmap."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

TERMS = 'Tensor x, Tensor theta, Tensor lam, Tensor tau, Tensor image_kernel, Tensor flow_kernel, Tensor div_kernel'
FORWARD_SCHEMA = f'({TERMS}, SymInt num_iters) -> Tensor'
BACKWARD_SCHEMA = f'(Tensor grad_u, {TERMS}, SymInt num_iters) -> ({", ".join(["Tensor"] * 7)})'


def register(name: str, forward: Callable[..., Tensor], backward: Callable[..., tuple[Tensor, ...]]) -> Callable:
    """Make two launchers one differentiable operator ``repflow_mm::<name>``.

    Args:
        name (str): The operator's name; that of its backward pass has ``_backward`` behind it.
        forward (Callable): ``forward(x, theta, lam, tau, image_kernel, flow_kernel, div_kernel, num_iters)``, all
            but ``num_iters`` tensors of x's dtype and device, returns u, (N, 2C, T-1, H, W), contiguous.
        backward (Callable): ``backward(grad_u, ...)`` with the same arguments behind it returns the gradients of
            the seven tensors in their order, each contiguous and of its tensor's shape.

    Returns:
        Callable: ``solve(x, theta, lam, tau, num_iters, image_kernel, flow_kernel, div_kernel)``, as
        :class:`repflow_mm.ops.backends.Backend` wants it.
    """
    forward_op = torch.library.custom_op(f'repflow_mm::{name}', forward, mutates_args=(), schema=FORWARD_SCHEMA)
    backward_op = torch.library.custom_op(
        f'repflow_mm::{name}_backward', backward, mutates_args=(), schema=BACKWARD_SCHEMA
    )
    forward_op.register_fake(_fake_forward)
    backward_op.register_fake(_fake_backward)

    def differentiate(ctx, grad_u):
        return (*backward_op(grad_u, *ctx.saved_tensors, ctx.num_iters), None)

    forward_op.register_autograd(differentiate, setup_context=_save_inputs)
    backward_op.register_autograd(_refuse_second_order)
    forward_op.register_vmap(_loop_over(forward_op))
    backward_op.register_vmap(_loop_over(backward_op))

    def solve(x, theta, lam, tau, num_iters, image_kernel, flow_kernel, div_kernel):
        return forward_op(x, theta, lam, tau, image_kernel, flow_kernel, div_kernel, num_iters)

    return solve


def _fake_forward(x, theta, lam, tau, image_kernel, flow_kernel, div_kernel, num_iters):
    n, c, t, h, w = x.shape
    return x.new_empty((n, 2 * c, t - 1, h, w))


def _fake_backward(grad_u, *inputs):
    return tuple(tensor.new_empty(tensor.shape) for tensor in inputs[:-1])


def _save_inputs(ctx, inputs, output):
    *tensors, ctx.num_iters = inputs
    ctx.save_for_backward(*tensors)


def _refuse_second_order(ctx, *grads):
    raise NotImplementedError(
        "rep_flow: the fused backends have no second derivatives; pass backend='reference' for double backward"
    )


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
