"""What the classical flow methods share: images of a pair, their pyramid, and warps."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from repflow_mm.ops.arguments import FLOATS, at_least_float32, check_dense
from repflow_mm.ops.backends import Backend, choose_backend

# ITU-R BT.601 luma of red, green and blue.
GREY_WEIGHTS = (0.299, 0.587, 0.114)
# No level of the pyramid, but for the images themselves, has a shorter side.
SHORTEST_SIDE = 16
# How far, in pixels, a place may lie outside the image and count as inside: rounding alone must not switch the data
# term of a border pixel that does not move.
BORDER_MARGIN = 0.01


def solve_pairs(
    op: str,
    prev: Tensor,
    next: Tensor,
    backend: str,
    backends: dict[str, Backend],
    coarse_to_fine: Callable[[Tensor, Backend, object], Tensor],
    parameters: object,
) -> Tensor:
    """The flow of image pairs by one of the methods.

    Args:
        op (str): What messages call the method.
        prev (Tensor): First images (N, 1 or 3, H, W), uint8 or floating point in [0, 255].
        next (Tensor): Second images, of the same shape, dtype and device.
        backend (str): ``'auto'`` or a key of ``backends``.
        backends (dict[str, Backend]): The method's backends, in the order in which ``'auto'`` tries them.
        coarse_to_fine (Callable): Flow (N, 2, H, W) of finite grey images (N, 2, H, W), at least float32, by a backend
            with the method's parameters.
        parameters (object): The method's parameters.

    Returns:
        Tensor: u, (N, 2, H, W), of the images' dtype, for uint8 float32; NaN for pairs that are not finite.

    Raises:
        TypeError: If an image is no uint8 or floating-point tensor.
        ValueError: If a shape or a pixel is out of range, the images do not match, there is no such backend, or the
            parameters make the flow of finite images overflow.
        NotImplementedError: If the named backend cannot run.
    """
    check_images(prev, next)
    images = torch.cat((grey(prev), grey(next)), dim=1)  # (N, 2, H, W)
    solver = choose_backend(images, backend, backends, op=op, name='images')
    if images.shape[0] == 0:
        return images.to(prev.dtype) if prev.is_floating_point() else images
    finite = images.detach().isfinite().all(dim=3).all(dim=2).all(dim=1)[:, None, None, None]  # (N, 1, 1, 1)
    with torch.autocast(images.device.type, enabled=False):
        u = coarse_to_fine(torch.where(finite, images, 0), solver, parameters)
    if not u.isfinite().all():
        raise ValueError(f'{op}: the flow overflows {u.dtype} with {parameters}; take parameters nearer the defaults')
    u = torch.where(finite, u, float('nan'))
    return u.to(prev.dtype) if prev.is_floating_point() else u


def check_images(prev: Tensor, next: Tensor) -> None:
    """Raise TypeError or ValueError if two batches of images are no pairs that a method takes."""
    for name, image in (('prev', prev), ('next', next)):
        check_dense(name, image)
        if image.dtype not in (torch.uint8, *FLOATS):
            raise TypeError(f'{name} must be uint8 or floating point of 16 bits or more, got {image.dtype}')
        if image.ndim != 4 or image.shape[1] not in (1, 3) or min(image.shape[2:]) < 2:
            raise ValueError(f'{name} must have shape (N, 1 or 3, H, W) with H, W >= 2, got {tuple(image.shape)}')
    for what in ('shape', 'dtype', 'device'):
        if getattr(prev, what) != getattr(next, what):
            raise ValueError(
                f'prev and next must have the same {what}, got {getattr(prev, what)} and {getattr(next, what)}'
            )
    if prev.is_meta:
        raise TypeError('prev and next must have values, got tensors on device meta')
    for name, image in (('prev', prev), ('next', next)):
        outside = ((image < 0) | (image > 255)) & image.isfinite() if image.is_floating_point() else None
        if outside is not None and outside.any():
            values = image[outside]
            raise ValueError(f'{name} must be in [0, 255], got values from {values.min():.6g} to {values.max():.6g}')


def grey(image: Tensor) -> Tensor:
    """The grey version (N, 1, H, W) of images (N, 1 or 3, H, W) that the methods work on, at least float32."""
    image = at_least_float32(image) if image.is_floating_point() else image.float()
    if image.shape[1] == 1:
        return image
    weights = image.new_tensor(GREY_WEIGHTS)[:, None, None]  # (3, 1, 1)
    return (weights * image).sum(dim=1, keepdim=True)


def pyramid_sizes(height: int, width: int, num_scales: int, scale_factor: float) -> list[tuple[int, int]]:
    """(H, W) of the levels, the images' own first, each ``scale_factor`` times the one before, rounded."""
    sizes = [(height, width)]
    while len(sizes) < num_scales:
        smaller = tuple(round(side * scale_factor) for side in sizes[-1])
        if min(smaller) < SHORTEST_SIDE or smaller == sizes[-1]:
            break
        sizes.append(smaller)
    return sizes


def enlarge_flow(u: Tensor, size: tuple[int, int]) -> Tensor:
    """A level's flow at the size of the next, in pixels of that one."""
    ratios = u.new_tensor((size[1] / u.shape[3], size[0] / u.shape[2]))[:, None, None]  # (2, 1, 1), x first
    return F.interpolate(u, size=size, mode='bilinear', align_corners=False) * ratios


def warp(planes: Tensor, u_x: Tensor, u_y: Tensor) -> Tensor:
    """``planes`` (N, C, H, W) at ``(x + u_x, y + u_y)``, by cubic convolution (a = -3/4), the border repeated."""
    x, y = _places(u_x, u_y)
    height, width = u_x.shape[2:]
    grid = torch.stack((2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1), dim=-1)[:, 0]  # (N, H, W, 2)
    return F.grid_sample(planes, grid, mode='bicubic', padding_mode='border', align_corners=True)


def stays_inside(u_x: Tensor, u_y: Tensor, border: int = 0) -> Tensor:
    """1 where ``(x + u_x, y + u_y)`` lies inside the image without its border of so many pixels, else 0.

    (N, 1, H, W), of u's dtype.
    """
    x, y = _places(u_x, u_y)
    height, width = u_x.shape[2:]
    low, right, bottom = border - BORDER_MARGIN, width - 1 - border + BORDER_MARGIN, height - 1 - border + BORDER_MARGIN
    return ((x >= low) & (x <= right) & (y >= low) & (y <= bottom)).to(u_x.dtype)


def _places(u_x: Tensor, u_y: Tensor) -> tuple[Tensor, Tensor]:
    """Where each pixel's flow leads: x and y, (N, 1, H, W) each."""
    height, width = u_x.shape[2:]
    columns = torch.arange(width, dtype=u_x.dtype, device=u_x.device)
    rows = torch.arange(height, dtype=u_x.dtype, device=u_x.device)
    return columns + u_x, rows[:, None] + u_y
