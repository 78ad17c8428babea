"""Convolutions and norms with a share of the channels, for networks whose width cannot be set."""

from __future__ import annotations

from mmengine.registry import MODELS
from torch import nn


@MODELS.register_module()
class NarrowConv2d(nn.Conv2d):
    """A convolution with ``width`` times the channels and groups that it is given.

    MMAction2's 2D networks (ResNetTSM, TANet, ResNetTIN, C2D, ResNet) have their widths in their code, but build all
    layers from ``conv_cfg`` and ``norm_cfg``. ``conv_cfg=dict(type='NarrowConv2d', width=0.25)`` and
    ``norm_cfg=dict(type='NarrowBatchNorm2d', width=0.25)`` make one of a quarter of the width; what such a network
    puts into its blocks, as TANet's TAM, takes its channels from the layers.

    Args:
        in_channels (int): Channels that come in at full width.
        out_channels (int): Channels that go out at full width.
        *args: Further arguments of ``nn.Conv2d`` by position.
        width (float): Share of the channels that is left, > 0.
        inputs (int): Channels of the network's input, which its first convolution takes all of. Defaults to 3.
        groups (int): Groups at full width; one group stays one. Defaults to 1.
        **kwargs: Further arguments of ``nn.Conv2d``.

    Raises:
        ValueError: If the share of the channels or of the groups is no whole number > 0.

    Example:
        >>> NarrowConv2d(64, 128, 3, padding=1, width=0.25)
        NarrowConv2d(16, 32, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    """

    def __init__(
        self, in_channels: int, out_channels: int, *args, width: float, inputs: int = 3, groups: int = 1, **kwargs
    ) -> None:
        narrow_in = in_channels if in_channels == inputs else _share(in_channels, width, 'in_channels')
        narrow_groups = 1 if groups == 1 else _share(groups, width, 'groups')
        super().__init__(narrow_in, _share(out_channels, width, 'out_channels'), *args, groups=narrow_groups, **kwargs)


@MODELS.register_module()
class NarrowBatchNorm2d(nn.BatchNorm2d):
    """The norm behind a :class:`NarrowConv2d`.

    Args:
        num_features (int): Channels at full width.
        *args: Further arguments of ``nn.BatchNorm2d`` by position.
        width (float): Share of the channels that is left, > 0.
        **kwargs: Further arguments of ``nn.BatchNorm2d``.

    Raises:
        ValueError: If the share of the channels is no whole number > 0.
    """

    def __init__(self, num_features: int, *args, width: float, **kwargs) -> None:
        super().__init__(_share(num_features, width, 'num_features'), *args, **kwargs)


def _share(count: int, width: float, name: str) -> int:
    """``width`` times a number of channels or groups."""
    share = count * width
    if share < 1 or share != int(share):
        raise ValueError(f'width times {name} must be a whole number > 0, got {width} * {count} = {share:g}')
    return int(share)
