"""3D and (2+1)D ResNets with representation flow."""

from __future__ import annotations

from mmaction.models.backbones import ResNet2Plus1d, ResNet3d
from mmaction.models.common import Conv2plus1d
from mmaction.registry import MODELS
from mmaction.utils import get_str_type
from mmengine.logging import MMLogger
from torch import Tensor

from repflow_mm.models.backbones.places import PaperNetwork
from repflow_mm.models.insertion import FlowConfig


@MODELS.register_module()
class RepFlowResNet3d(PaperNetwork, ResNet3d):
    """MMAction2's ResNet3d with flow blocks between its stages.

    Source: Piergiovanni & Ryoo, "Representation Flow for Action Recognition", CVPR 2019. Serves 3D networks
    (``inflate_style='3x3x3'``, and depth 18 and 34, whose blocks are 3x3x3 always) and, from depth 50 on, (2+1)D ones
    as the authors have them (``inflate_style='3x1x1'``, ``inflate`` choosing the bottlenecks). Module names are
    those of ResNet3d, so ``pretrained`` 2D weights inflate into it; they leave the flow blocks alone, which are under
    ``flow_blocks.<place>``. Flow needs frames: temporal strides and ``with_pool2`` (True in ResNet3d) before a block
    take them away.

    Args:
        depth (int): 18, 34, 50, 101 or 152.
        pretrained (str, optional): Path or address of weights. Defaults to None.
        num_segments (int, optional): Frames T of one clip. If given, a clip that the temporal strides leave too short
            for a flow block is an error when the network is built. Defaults to None.
        flow (dict | list[dict], optional): One block or several, as in :class:`RepFlowResNet`: ``after`` (``'input'``,
            ``'block1'`` with the first pooling, ``'block2'`` with ``pool2``, ... ``'block5'``) and the arguments of
            :class:`repflow_mm.models.FlowBlock`. None is the RGB network. Defaults to None.
        **kwargs: Arguments of ``mmaction.models.ResNet3d`` (``temporal_strides``, ``inflate``,
            ``non_local``, ...). ``frozen_stages`` concerns the ResNet's own layers, not the flow blocks;
            ``norm_eval`` all norms. Inflated RGB weights fit any ``in_channels``, as in :class:`RepFlowResNet`.

    Raises:
        ValueError: If a place does not exist, or ``num_segments`` is too short for the flow blocks; when weights are
            initialised, if ``pretrained`` with ``pretrained2d`` holds another architecture's.

    Example:
        >>> flow = dict(after='block3', channels=32, num_iters=20)
        >>> model = RepFlowResNet3d(18, num_segments=8, flow=flow, with_pool2=False)
        >>> model(torch.rand(2, 3, 8, 64, 64)).shape
        torch.Size([2, 512, 7, 2, 2])
    """

    def __init__(
        self,
        depth: int,
        pretrained: str | None = None,
        *,
        num_segments: int | None = None,
        flow: FlowConfig = None,
        **kwargs,
    ) -> None:
        self._check_depth(depth)
        super().__init__(depth, pretrained, **kwargs)
        self._insert_flow(flow, num_segments)

    def places(self) -> dict[str, str]:
        """The places that exist, in the order of computation, each with the module that a block goes behind."""
        places = super().places()
        places['block1'] = 'maxpool' if self.with_pool1 else 'conv1'
        places['block2'] = 'pool2' if self.with_pool2 else places['block2']
        return places

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Features of the stages ``out_indices``.

        Args:
            x (Tensor): Clips (N, C, T, H, W); T shortens by the temporal strides and by one for each flow step.

        Returns:
            Tensor | tuple[Tensor]: (N, C', T', H', W'); a tuple if ``out_indices`` has several.

        Raises:
            ValueError: If x is no batch of clips, or too short for a flow block.
        """
        if x.ndim != 5:
            raise ValueError(f'x must be (N, C, T, H, W), got shape {tuple(x.shape)}')
        x = self.conv1(x)
        x = self.maxpool(x) if self.with_pool1 else x  # block 1: a flow block is in the hook of a place's last module
        stages = []
        for i, name in enumerate(self.res_layers):
            x = getattr(self, name)(x)  # blocks 2 to 5
            x = self.pool2(x) if i == 0 and self.with_pool2 else x
            stages.append(x)
        return self._selected(stages)

    def inflate_weights(self, logger: MMLogger) -> None:
        """Check torchvision's 2D weights at ``pretrained``, report what they do not cover, and inflate them."""
        self._load_checked(super().inflate_weights, logger)


@MODELS.register_module()
class RepFlowResNet2Plus1d(RepFlowResNet3d, ResNet2Plus1d):
    """MMAction2's ResNet2Plus1d, whose 3D convolutions are factorised, with flow blocks between its stages.

    Its stem's pooling is always there and ``pool2`` never, as in ResNet2Plus1d. 2D weights cannot be inflated into
    it, as the factors have other shapes; ``pretrained`` holds weights of the network itself.

    Args:
        depth (int): 18, 34, 50, 101 or 152.
        pretrained (str, optional): Path or address of weights. Defaults to None.
        num_segments (int, optional): Frames T of one clip, see :class:`RepFlowResNet3d`. Defaults to None.
        flow (dict | list[dict], optional): See :class:`RepFlowResNet3d`. Defaults to None.
        pretrained2d (bool): Must be False. Defaults to False.
        conv_cfg (dict): Its type must be ``'Conv2plus1d'``. Defaults to ``dict(type='Conv2plus1d')``.
        **kwargs: Further arguments of ``mmaction.models.ResNet2Plus1d``.

    Raises:
        ValueError: As in :class:`RepFlowResNet3d`; if ``pretrained2d`` or ``conv_cfg`` is not as above.
    """

    def __init__(
        self,
        depth: int,
        pretrained: str | None = None,
        *,
        num_segments: int | None = None,
        flow: FlowConfig = None,
        pretrained2d: bool = False,
        conv_cfg: dict = dict(type='Conv2plus1d'),  # noqa: B006
        **kwargs,
    ) -> None:
        if pretrained2d:
            raise ValueError(f'pretrained2d must be False, as 2D weights do not inflate here, got {pretrained2d!r}')
        if get_str_type(conv_cfg['type']) != 'Conv2plus1d':
            raise ValueError(f"conv_cfg must be of type 'Conv2plus1d', got {conv_cfg!r}")
        conv_cfg = dict(conv_cfg, type=Conv2plus1d)  # by name it is found in MMAction2's scope only
        kwargs.update(with_pool1=True, with_pool2=False)
        settings = dict(num_segments=num_segments, flow=flow, pretrained2d=False, conv_cfg=conv_cfg)
        super().__init__(depth, pretrained, **settings, **kwargs)
