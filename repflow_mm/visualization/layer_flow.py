"""What the flow layers of a network see, and how their solvers fare."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from repflow_mm.models.layers import RepresentationFlow
from repflow_mm.ops.arguments import at_least_float32
from repflow_mm.ops.reference import Linearisation
from repflow_mm.ops.stencils import image_gradient


@contextmanager
def recorded_flow(network: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Keep the flow of each flow layer during the forward passes within.

    Args:
        network (nn.Module): A network with :class:`repflow_mm.models.RepresentationFlow` layers.

    Yields:
        dict[str, Tensor]: By a layer's name in the network its latest flow, (N, 2, C, T-1, H, W), detached: the x- and
        the y-component for each channel, in feature-grid pixels per frame step. Empty until a forward pass.

    Raises:
        ValueError: If the network has no flow layer.
    """
    layers, flows = flow_layers(network), {}

    def keep(name: str):
        def hook(layer: nn.Module, inputs: tuple, u: Tensor) -> None:
            flows[name] = u.detach().unflatten(1, (2, -1))  # (N, 2C, T-1, H, W) -> (N, 2, C, T-1, H, W)

        return hook

    handles = [layer.register_forward_hook(keep(name)) for name, layer in layers.items()]
    try:
        yield flows
    finally:
        for handle in handles:
            handle.remove()


def flow_layers(network: nn.Module) -> dict[str, RepresentationFlow]:
    """The flow layers of a network by their names in it, in the order of its modules.

    Raises:
        ValueError: If there is none.
    """
    layers = {name: module for name, module in network.named_modules() if isinstance(module, RepresentationFlow)}
    if not layers:
        raise ValueError(f'{type(network).__name__} has no RepresentationFlow layer')
    return layers


def short_name(name: str) -> str:
    """A layer's name without what all have: ``'block3.flow0'`` of ``'backbone.flow_blocks.block3.steps.flow0'``."""
    return name.rpartition('flow_blocks.')[2].replace('.steps.', '.')


@torch.no_grad()
def clamped_share(layer: RepresentationFlow, x: Tensor, u: Tensor) -> float:
    """Share of the pixels whose data term still takes the longest step: their flow is far from explaining them.

    In an iteration (Piergiovanni & Ryoo, CVPR 2019, Algorithm 1) u moves along the image gradient by
    ``rho / |gradient|^2``, but by ``lam * theta`` at most. Where that limit holds after the last iteration, more
    iterations, or a larger lam or theta, would change the flow.

    Args:
        layer (RepresentationFlow): The layer.
        x (Tensor): Its input, (N, C, T, H, W).
        u (Tensor): Its flow, (N, 2C, T-1, H, W).

    Returns:
        float: In [0, 1], over all clips, channels, frame steps and pixels.
    """
    frames = at_least_float32(x).transpose(1, 2)  # (N, C, T, H, W) -> (N, T, C, H, W)
    first, second = frames[:, :-1].flatten(0, 1), frames[:, 1:].flatten(0, 1)  # (N*(T-1), C, H, W)
    u_x, u_y = u.to(first.dtype).transpose(1, 2).flatten(0, 1).chunk(2, dim=1)  # (N*(T-1), C, H, W) each
    data = Linearisation.of(*image_gradient(first, second, layer.image_kernel.to(first.dtype)), second - first)
    rho = data.rho_c + data.grad_x * u_x + data.grad_y * u_y
    return (rho.abs() > layer.lam * layer.theta * data.squared_norm).float().mean().item()
