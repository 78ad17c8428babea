"""The specification of Brox flow at one level of the pyramid, in plain PyTorch."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from repflow_mm.ops.brox_parameters import BroxParameters
from repflow_mm.ops.image_pairs import stays_inside, warp

# Psi(s^2) = sqrt(s^2 + EPSILON^2), the paper's epsilon, for grey values in [0, 1] and flow in pixels.
EPSILON = 1e-3
# Over-relaxation of the linear solver: 1 is Gauss-Seidel, 2 diverges.
RELAXATION = 1.9


class Residual(NamedTuple):
    """A constancy assumption, linear in the flow: ``constant + along_x * u_x + along_y * u_y``, (N, 1, H, W) each."""

    constant: Tensor
    along_x: Tensor
    along_y: Tensor

    def at(self, u: Tensor) -> Tensor:
        """Its value for a flow (N, 2, H, W): (N, 1, H, W)."""
        return self.constant + self.along_x * u[:, :1] + self.along_y * u[:, 1:]


class System(NamedTuple):
    """A linear system for the flow: at each pixel a 2x2 matrix, a right side, and weights of the four neighbours.

    ``(a_xx, a_xy; a_xy, a_yy) u = (b_x, b_y) + sum of weight * u of the neighbour``; (N, 1, H, W) each.
    """

    a_xx: Tensor
    a_xy: Tensor
    a_yy: Tensor
    b_x: Tensor
    b_y: Tensor
    west: Tensor
    east: Tensor
    north: Tensor
    south: Tensor


def solve_level_ref(images: Tensor, u: Tensor, parameters: BroxParameters) -> Tensor:
    """Refine a flow: one warp, in it the fixed points of the robust norms, in each of these a linear system.

    Args:
        images (Tensor): (N, 2, H, W): the first and the second image of each pair, grey levels in [0, 1].
        u (Tensor): (N, 2, H, W): where to start, in pixels of this level.
        parameters (BroxParameters): The method's parameters.

    Returns:
        Tensor: u, (N, 2, H, W), in pixels of this level. Differentiable in ``images`` and ``u``.
    """
    residuals = linearise(*images.split(1, dim=1), u, parameters.gamma)
    rows, columns = (torch.arange(side, device=u.device) for side in u.shape[2:])
    red = (rows[:, None] + columns) % 2 == 0  # (H, W)
    for _ in range(parameters.inner_iterations):
        system = linear_system(residuals, u, parameters.alpha)
        for _ in range(parameters.solver_iterations):
            for colour in (red, ~red):
                u = torch.where(colour, relax(u, system), u)
    return u


def linearise(first: Tensor, second: Tensor, u: Tensor, gamma: float) -> tuple[Residual, Residual, Residual]:
    """Constancy of brightness and, times sqrt(gamma), of the gradient's x and y, around the flow ``u``.

    Args:
        first (Tensor): First images (N, 1, H, W).
        second (Tensor): Second images (N, 1, H, W).
        u (Tensor): (N, 2, H, W).
        gamma (float): Weight of the gradient's constancy.

    Returns:
        tuple[Residual, Residual, Residual]: Zero, all three numbers, where a residual does not count: where the flow
        leaves the image, and for the gradient's constancy at the border of either image, where the image that is
        repeated beyond it falsifies the derivatives.
    """
    value, *slopes = derivatives(first)
    moved_value, *moved_slopes = warp(torch.cat(derivatives(second), dim=1), u[:, :1], u[:, 1:]).split(1, dim=1)
    # NOTE: the paper takes the derivatives of the second image alone; the mean of both is of second order in time.
    grad_x, grad_y, grad_xx, grad_xy, grad_yy = ((a + b) / 2 for a, b in zip(slopes, moved_slopes))
    differences = (moved - own for own, moved in zip((value, *slopes[:2]), (moved_value, *moved_slopes[:2])))
    inside = stays_inside(u[:, :1], u[:, 1:])
    gradient_counts = math.sqrt(gamma) * stays_inside(u[:, :1], u[:, 1:], border=1) * _off_the_border(first)
    along = ((inside, grad_x, grad_y), (gradient_counts, grad_xx, grad_xy), (gradient_counts, grad_xy, grad_yy))
    residuals = []
    for difference, (weight, along_x, along_y) in zip(differences, along):
        constant = difference - along_x * u[:, :1] - along_y * u[:, 1:]
        residuals.append(Residual(weight * constant, weight * along_x, weight * along_y))
    return tuple(residuals)


def linear_system(residuals: tuple[Residual, ...], u: Tensor, alpha: float) -> System:
    """The Euler-Lagrange equations with the robust norms' weights fixed at the flow ``u`` (N, 2, H, W)."""
    weight = norm_weight(sum(residual.at(u) ** 2 for residual in residuals))
    east, south = (alpha * smoothness for smoothness in smoothness_weights(u))  # (N, 1, H, W-1), (N, 1, H-1, W)
    west, east = F.pad(east, (1, 0)), F.pad(east, (0, 1))
    north, south = F.pad(south, (0, 0, 1, 0)), F.pad(south, (0, 0, 0, 1))
    neighbours = west + east + (north + south)
    return System(
        a_xx=weight * sum(r.along_x**2 for r in residuals) + neighbours,
        a_xy=weight * sum(r.along_x * r.along_y for r in residuals),
        a_yy=weight * sum(r.along_y**2 for r in residuals) + neighbours,
        b_x=-weight * sum(r.along_x * r.constant for r in residuals),
        b_y=-weight * sum(r.along_y * r.constant for r in residuals),
        west=west,
        east=east,
        north=north,
        south=south,
    )


def relax(u: Tensor, system: System) -> Tensor:
    """One step of over-relaxation at every pixel at once, for those of one colour to be taken: (N, 2, H, W)."""
    padded = F.pad(u, (1, 1, 1, 1))
    around = system.west * padded[..., 1:-1, :-2] + system.east * padded[..., 1:-1, 2:]
    around = around + system.north * padded[..., :-2, 1:-1] + system.south * padded[..., 2:, 1:-1]  # (N, 2, H, W)
    side_x, side_y = around[:, :1] + system.b_x, around[:, 1:] + system.b_y
    determinant = system.a_xx * system.a_yy - system.a_xy**2
    solved_x = (system.a_yy * side_x - system.a_xy * side_y) / determinant
    solved_y = (system.a_xx * side_y - system.a_xy * side_x) / determinant
    return u + RELAXATION * (torch.cat((solved_x, solved_y), dim=1) - u)


def norm_weight(squared: Tensor) -> Tensor:
    """Psi'(s^2), the derivative of the robust norm Psi at a squared residual."""
    return 1 / (2 * torch.sqrt(squared + EPSILON**2))


def smoothness_weights(u: Tensor) -> tuple[Tensor, Tensor]:
    """Psi'(|grad u_x|^2 + |grad u_y|^2) half-way between neighbours in a row and in a column.

    Across the edge between two pixels the gradient is their difference, along it the mean of their central differences.

    Args:
        u (Tensor): (N, 2, H, W).

    Returns:
        tuple[Tensor, Tensor]: (N, 1, H, W-1) and (N, 1, H-1, W).
    """
    padded = F.pad(u, (1, 1, 1, 1), mode='replicate')
    central_x = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    central_y = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    in_rows = (u[..., 1:] - u[..., :-1]) ** 2 + ((central_y[..., 1:] + central_y[..., :-1]) / 2) ** 2
    in_columns = (u[..., 1:, :] - u[..., :-1, :]) ** 2 + ((central_x[..., 1:, :] + central_x[..., :-1, :]) / 2) ** 2
    return tuple(norm_weight(squared.sum(dim=1, keepdim=True)) for squared in (in_rows, in_columns))


def derivatives(image: Tensor) -> tuple[Tensor, ...]:
    """An image (N, 1, H, W) and its derivatives along x, y, xx, xy and yy, of the same shape."""
    grad_x, grad_y = derivative_x(image), derivative_x(image.mT).mT
    return image, grad_x, grad_y, derivative_x(grad_x), derivative_x(grad_x.mT).mT, derivative_x(grad_y.mT).mT


def derivative_x(image: Tensor) -> Tensor:
    """Central difference along x of fourth order, (1, -8, 0, 8, -1) / 12, the border repeated; (N, 1, H, W)."""
    padded = F.pad(image, (2, 2, 0, 0), mode='replicate')
    return (8 * (padded[..., 3:-1] - padded[..., 1:-3]) - (padded[..., 4:] - padded[..., :-4])) / 12


def _off_the_border(image: Tensor) -> Tensor:
    """1 within an image (N, 1, H, W), 0 at its first and last row and column: (H, W)."""
    height, width = image.shape[2:]
    return F.pad(image.new_ones(height - 2, width - 2), (1, 1, 1, 1))
