"""2D ResNet with representation flow."""

from __future__ import annotations

from mmaction.models.backbones import ResNet
from mmaction.registry import MODELS
from mmengine.logging import MMLogger
from torch import Tensor

from repflow_mm.models.backbones.places import PaperNetwork
from repflow_mm.models.insertion import FlowConfig
from repflow_mm.models.layers.folding import fold_time, unfold_time


@MODELS.register_module()
class RepFlowResNet(PaperNetwork, ResNet):
    """MMAction2's ResNet on every frame, with flow blocks between its stages.

    Source: Piergiovanni & Ryoo, "Representation Flow for Action Recognition", CVPR 2019. Module names are those of
    MMAction2's ResNet, so its ImageNet weights load; the flow blocks are under ``flow_blocks.<place>``.

    Args:
        depth (int): 18, 34, 50, 101 or 152.
        pretrained (str, optional): Path or address of torchvision's weights. Defaults to None.
        num_segments (int): Frames T of one clip, as in ``ResNetTSM``; used for input (N*T, C, H, W), where it says
            which frames belong together. Defaults to 8.
        flow (dict | list[dict], optional): One block or several: ``after`` (``'input'``, ``'block1'`` ...
            ``'block5'``) and the arguments of :class:`repflow_mm.models.FlowBlock`. None is the RGB network.
            Defaults to None.
        **kwargs: Arguments of ``mmaction.models.ResNet`` (``num_stages``, ``norm_eval``, ...).
            ``partial_bn`` and ``frozen_stages`` concern the ResNet's own layers, not the flow blocks; ``norm_eval``
            all norms. With ``in_channels`` other than 3, as for optical flow, the first convolution of ``pretrained``
            RGB weights is averaged over RGB and repeated for each channel.

    Raises:
        ValueError: If a place does not exist, or ``num_segments`` is too short for the flow blocks; when weights are
            initialised, if ``pretrained`` holds another architecture's.

    Example:
        >>> flow = dict(after='block3', channels=32, num_iters=20)
        >>> model = RepFlowResNet(18, num_segments=8, flow=flow)
        >>> model(torch.rand(2, 3, 8, 64, 64)).shape
        torch.Size([2, 512, 7, 2, 2])
        >>> model(torch.rand(2 * 8, 3, 64, 64)).shape
        torch.Size([16, 512, 2, 2])
    """

    def __init__(
        self, depth: int, pretrained: str | None = None, *, num_segments: int = 8, flow: FlowConfig = None, **kwargs
    ) -> None:
        self._check_depth(depth)
        super().__init__(depth, pretrained, **kwargs)
        self._insert_flow(flow, num_segments)

    @classmethod
    def expected_input(cls, cfg: dict) -> dict:
        """Channels, and the frames of one clip where flow is computed, as :class:`PaperNetwork` has it."""
        return dict(super().expected_input(cfg), num_segments=cfg.get('num_segments', 8) if cfg.get('flow') else None)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Features of the stages ``out_indices``.

        Args:
            x (Tensor): Clips (N, C, T, H, W), whose T shortens by one for each flow step; or their frames
                (N*T, C, H, W) with T = ``num_segments``, where T is kept and the last flow of a clip is repeated.

        Returns:
            Tensor | tuple[Tensor]: (N, C', T', H', W'), or (N*T, C', H', W') for folded input; a tuple if
            ``out_indices`` has several.

        Raises:
            ValueError: With flow, if x has neither form or cannot be divided into clips.
        """
        num_clips = x.shape[0] if x.ndim == 5 else None
        x = x if num_clips is None else fold_time(x)
        x = self.conv1(x)  # (N*T, C, H, W)
        x = self.maxpool(x)  # block 1: a flow block is in the forward hook of a place's last module
        stages = []
        for name in self.res_layers:
            x = getattr(self, name)(x)  # blocks 2 to 5
            stages.append(x if num_clips is None else unfold_time(x, x.shape[0] // num_clips))
        return self._selected(stages)

    def _load_torchvision_checkpoint(self, logger: MMLogger = None) -> None:
        self._load_checked(super()._load_torchvision_checkpoint, logger)
