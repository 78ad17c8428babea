"""What the flow layers of a network see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from repflow_mm.models.layers import RepresentationFlow


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
    layers = {name: module for name, module in network.named_modules() if isinstance(module, RepresentationFlow)}
    if not layers:
        raise ValueError(f'{type(network).__name__} has no RepresentationFlow layer')
    flows = {}

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
