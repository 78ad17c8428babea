"""2D ResNet with representation flow."""

from __future__ import annotations

from itertools import takewhile

from mmaction.models.backbones import ResNet
from mmaction.registry import MODELS
from mmengine.logging import MMLogger
from torch import Tensor, nn

from repflow_mm.models.backbones.flow_insertion import FlowConfig, FlowInsertion
from repflow_mm.models.layers.folding import fold_time, unfold_time


@MODELS.register_module()
class RepFlowResNet(FlowInsertion, ResNet):
    """MMAction2's ResNet on every frame, with flow blocks between its stages.

    Source: Piergiovanni & Ryoo, "Representation Flow for Action Recognition", CVPR 2019. Module names are those of
    MMAction2's ResNet, so its ImageNet weights load; the flow blocks are under ``flow_blocks.<place>``.

    Args:
        depth (int): 18, 34, 50, 101 or 152.
        num_segments (int): Frames T of one clip, as in ``ResNetTSM``; used for input (N*T, C, H, W), where it says
            which frames belong together. Defaults to 8.
        flow (dict | list[dict], optional): One block or several: ``after`` (``'input'``, ``'block1'`` ...
            ``'block5'``) and the arguments of :class:`repflow_mm.models.FlowBlock`. None is the RGB network.
            Defaults to None.
        **kwargs: Arguments of ``mmaction.models.ResNet`` (``pretrained``, ``num_stages``, ``norm_eval``, ...).
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

    def __init__(self, depth: int, num_segments: int = 8, flow: FlowConfig = None, **kwargs) -> None:
        self._check_depth(depth)
        super().__init__(depth, **kwargs)
        self.num_segments = num_segments
        self._insert_flow_blocks(flow, num_segments)

    def train(self, mode: bool = True) -> RepFlowResNet:
        """Set the mode as MMAction2's ResNet does, and return self."""
        super().train(mode)
        if mode and self.partial_bn:
            for module in self.flow_blocks.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.train(not self.norm_eval).requires_grad_()
        return self

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Features of the stages ``out_indices``.

        Args:
            x (Tensor): Clips (N, C, T, H, W), whose T shortens by one for each flow stage; or their frames
                (N*T, C, H, W) with T = ``num_segments``, where T is kept and the last flow of a clip is repeated.

        Returns:
            Tensor | tuple[Tensor]: (N, C', T', H', W'), or (N*T, C', H', W') for folded input; a tuple if
            ``out_indices`` has several.

        Raises:
            ValueError: If x has neither form or cannot be divided into clips.
        """
        folded = x.ndim == 4
        num_clips = self._num_clips(x)

        def flow_after(place: str, frames: Tensor) -> Tensor:
            if place not in self.flow_blocks:
                return frames
            num_repeated = self._num_repeated(place) if folded else 0
            return self.flow_blocks[place](frames, frames.shape[0] // num_clips, folded, num_repeated)[0]

        stages = self._walk(x if folded else fold_time(x), flow_after)
        if not folded:
            stages = (unfold_time(frames, frames.shape[0] // num_clips) for frames in stages)
        return self._select(stages)

    def _num_repeated(self, place: str) -> int:
        """How many of a folded clip's last frames before a place only repeat the last flow."""
        earlier = takewhile(lambda name: name != place, self._place_channels())
        blocks = [self.flow_blocks[name] for name in earlier if name in self.flow_blocks]
        return sum(block.num_flows for block in blocks if block.fusion == 'none')

    def _num_clips(self, x: Tensor) -> int:
        if x.ndim == 5:
            return x.shape[0]
        if x.ndim != 4:
            raise ValueError(f'x must be (N, C, T, H, W) or (N*T, C, H, W), got shape {tuple(x.shape)}')
        if x.shape[0] % self.num_segments:
            raise ValueError(
                f'{x.shape[0]} frames (N*T, C, H, W) are no whole clips of num_segments={self.num_segments}: '
                'set num_segments to the frames of one clip'
            )
        return x.shape[0] // self.num_segments

    def _load_torchvision_checkpoint(self, logger: MMLogger = None) -> None:
        self._load_checked(super()._load_torchvision_checkpoint, logger)
