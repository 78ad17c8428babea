"""The flow solver in ONNX: what stands for the fused operator in an exported network.

It computes what :func:`repflow_mm.ops.rep_flow_ref` specifies; the iterations are one Loop, whatever their number.
Importing this module needs onnxscript, whose functions are read as source: they hold no more than it can translate.
"""

from __future__ import annotations

from onnxscript import FLOAT, INT64, script
from onnxscript import opset18 as op

from repflow_mm.ops.reference import EPSILON


@script(default_opset=op)
def _iterate(
    rho_c: FLOAT[...],
    grad: FLOAT[...],
    squared_norm: FLOAT[...],
    theta: FLOAT[...],
    limit: FLOAT[...],
    rate: FLOAT[...],
    epsilon: FLOAT[...],
    flow_x0: FLOAT[...],
    flow_x1: FLOAT[...],
    flow_y0: FLOAT[...],
    flow_y1: FLOAT[...],
    div_x0: FLOAT[...],
    div_x1: FLOAT[...],
    div_y0: FLOAT[...],
    div_y1: FLOAT[...],
    num_iters: INT64,
) -> FLOAT[...]:
    # Both components of u, of the image gradient and of the dual field at once, in the first dimension of two. As
    # operators of ONNX take axes and bounds as tensors: x is axis 4, y axis 3.
    x_axis = op.Constant(value_ints=[4])
    y_axis = op.Constant(value_ints=[3])
    components = op.Constant(value_ints=[0])
    from_first = op.Constant(value_ints=[0])
    from_second = op.Constant(value_ints=[1])
    to_last = op.Constant(value_ints=[-1])
    to_end = op.Constant(value_ints=[2147483647])
    before = op.Constant(value_ints=[1, 0])
    behind = op.Constant(value_ints=[0, 1])
    one = op.Constant(value_float=1.0)
    u = grad - grad
    p_x = grad - grad
    p_y = grad - grad
    for _ in range(num_iters):
        rho = rho_c + op.ReduceSum(grad * u, components)
        step = op.Max(op.Min(op.Neg(rho) / squared_norm, limit), op.Neg(limit))
        kept_x = op.Slice(p_x, from_first, to_last, x_axis)
        kept_y = op.Slice(p_y, from_first, to_last, y_axis)
        along_x = div_x0 * op.Pad(kept_x, before, None, x_axis) + div_x1 * op.Pad(kept_x, behind, None, x_axis)
        along_y = div_y0 * op.Pad(kept_y, before, None, y_axis) + div_y1 * op.Pad(kept_y, behind, None, y_axis)
        u = u + step * grad + theta * (along_x + along_y)
        u_x = flow_x0 * op.Slice(u, from_first, to_last, x_axis) + flow_x1 * op.Slice(u, from_second, to_end, x_axis)
        u_y = flow_y0 * op.Slice(u, from_first, to_last, y_axis) + flow_y1 * op.Slice(u, from_second, to_end, y_axis)
        u_x = op.Pad(u_x, behind, None, x_axis)
        u_y = op.Pad(u_y, behind, None, y_axis)
        shrink = one + rate * op.Sqrt(u_x * u_x + u_y * u_y + epsilon)
        p_x = (p_x + rate * u_x) / shrink
        p_y = (p_y + rate * u_y) / shrink
    return u


def rep_flow_onnx(x, theta, lam, tau, image_kernel, flow_kernel, div_kernel, num_iters):
    """What the exporter puts in the place of the operator ``repflow_mm::rep_flow_*``; its arguments are that one's."""
    channels = x.shape[1]
    first, second = (_frames(x, start, end, channels) for start, end in ((0, -1), (1, 2147483647)))  # (N*T', C, H, W)
    planes = [_image_gradient(first, second, image_kernel, k, channels) for k in (0, 1)]
    grad = op.Concat(*(op.Unsqueeze(plane, _ints(0)) for plane in planes), axis=0)  # (2, N*T', C, H, W)
    epsilon = op.Constant(value_float=EPSILON)
    squared_norm = op.Add(op.ReduceSum(op.Mul(grad, grad), _ints(0)), epsilon)  # (1, N*T', C, H, W)
    scalars = theta, op.Mul(lam, theta), op.Div(tau, theta), epsilon
    taps = [_tap(kernel, axis, k, channels) for kernel in (flow_kernel, div_kernel) for axis in (0, 1) for k in (0, 1)]
    num_iters = op.Constant(value_int=num_iters)
    u = _iterate(op.Sub(second, first), grad, squared_norm, *scalars, *taps, num_iters)  # (2, N*T', C, H, W)
    u = op.Transpose(u, perm=[1, 0, 2, 3, 4])  # -> (N*T', 2, C, H, W)
    batch, height, width = (op.Shape(x, start=k, end=k + 1) for k in (0, 3, 4))
    shape = op.Concat(batch, _ints(-1), _ints(2 * channels), height, width, axis=0)
    return op.Transpose(op.Reshape(u, shape), perm=[0, 2, 1, 3, 4])  # -> (N, 2C, T', H, W)


def _ints(*values: int):
    return op.Constant(value_ints=list(values))


def _frames(x, start: int, end: int, channels: int):
    """Frames from ``start`` to ``end`` of clips (N, C, T, H, W) as planes (N*T', C, H, W)."""
    clips = op.Transpose(op.Slice(x, _ints(start), _ints(end), _ints(2)), perm=[0, 2, 1, 3, 4])  # (N, T', C, H, W)
    shape = op.Concat(_ints(-1), _ints(channels), op.Shape(x, start=3, end=5), axis=0)
    return op.Reshape(clips, shape)


def _image_gradient(first, second, kernel, k: int, channels: int):
    """Gradient along x (k = 0) or y (1) of planes (N, C, H, W); at its ends one-sided, of the first frame."""
    axis = 3 - k
    weight = op.Reshape(op.Gather(kernel, op.Constant(value_int=k), axis=0), _ints(channels, 1, 3, 3))
    inner = op.Conv(second, weight, group=channels, pads=[1, 1, 1, 1])
    inner = op.Slice(inner, _ints(1), _ints(-1), _ints(axis))
    start, end = (
        op.Mul(
            op.Sub(op.Slice(first, *map(_ints, (*ahead, axis))), op.Slice(first, *map(_ints, (*here, axis)))),
            op.Constant(value_float=0.5),
        )
        for here, ahead in (((0, 1), (1, 2)), ((-2, -1), (-1, 2147483647)))
    )
    return op.Concat(start, inner, end, axis=axis)


def _tap(kernel, axis: int, k: int, channels: int):
    """One tap of each channel of a kernel (2, C, 2): (C, 1, 1)."""
    taps = op.Gather(op.Gather(kernel, op.Constant(value_int=axis), axis=0), op.Constant(value_int=k), axis=1)
    return op.Reshape(taps, _ints(channels, 1, 1))
