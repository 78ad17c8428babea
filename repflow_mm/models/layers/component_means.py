"""Convolutions of flow that start as means over components: each flow has c x-components, then c y-components.

The channels of a flow are estimates of one motion with independent errors. A mean keeps the motion and averages the
errors; random weights of both signs cancel the motion and keep the errors.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

# What is left of the random start, so that the outputs differ from each other.
NOISE = 0.1


@torch.no_grad()
def start_conv_as_means(conv: nn.Conv2d) -> None:
    """Make the outputs of a 2c -> 2c convolution means over their own component and the kernel's window.

    The first c outputs are means over the c x-components, the others over the y-components, each plus a tenth of the
    weights that the convolution has.

    Args:
        conv (nn.Conv2d): The convolution, initialised at random. Its weight (2c, 2c, k, k) is changed.
    """
    own = _components([conv.in_channels]).repeat_interleave(conv.out_channels // 2, dim=0)  # (2, 2c) -> (2c, 2c)
    _add_means(conv, own)


@torch.no_grad()
def start_expand_as_means(conv: nn.Conv2d, flow_channels: Sequence[int]) -> None:
    """Make the outputs of a convolution sums of the mean components of flows, with weights drawn from N(0, 1).

    Args:
        conv (nn.Conv2d): The convolution, initialised at random. Its weight (C, sum of the flows' channels, k, k) is
            changed.
        flow_channels (Sequence[int]): Channels of each flow among its input, in their order.
    """
    components = _components(flow_channels)  # (2 for each flow, in)
    _add_means(conv, torch.randn(conv.out_channels, len(components)) @ components)


def _components(flow_channels: Sequence[int]) -> Tensor:
    """For each flow a row of the mean over its x- and one over its y-components: (2 * flows, sum of their channels)."""
    halves = [channels // 2 for channels in flow_channels for _ in range(2)]
    return torch.block_diag(*(torch.full((1, half), 1 / half) for half in halves))


def _add_means(conv: nn.Conv2d, means: Tensor) -> None:
    """Set the weight (out, in, k, k) to ``means`` (out, in), spread over the window, and a tenth of what it was."""
    window = conv.kernel_size[0] * conv.kernel_size[1]
    conv.weight.mul_(NOISE).add_(means.to(conv.weight)[:, :, None, None] / window)
