"""2D ResNet with representation flow."""

from __future__ import annotations

from mmaction.models.backbones import ResNet
from mmaction.registry import MODELS
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
            all norms.

    Raises:
        ValueError: If a place does not exist, or ``num_segments`` is too short for the flow blocks.

    Example:
        >>> flow = dict(after='block3', channels=32, num_iters=20)
        >>> model = RepFlowResNet(18, num_segments=8, flow=flow)
        >>> model(torch.rand(2, 3, 8, 64, 64)).shape
        torch.Size([2, 512, 7, 2, 2])
        >>> model(torch.rand(2 * 8, 3, 64, 64)).shape
        torch.Size([16, 512, 2, 2])
    """

    def __init__(self, depth: int, num_segments: int = 8, flow: FlowConfig = None, **kwargs) -> None:
        if depth not in self.arch_settings:
            raise ValueError(f'depth must be one of {tuple(self.arch_settings)}, got {depth!r}')
        super().__init__(depth, **kwargs)
        self.num_segments = num_segments
        self._insert_flow_blocks(flow)
        if num_segments <= self.num_flows:
            raise ValueError(f'num_segments must be > {self.num_flows}, the number of flow stages, got {num_segments}')

    def init_weights(self) -> None:
        """Initialise the ResNet, from ``pretrained`` if given, and the flow blocks."""
        super().init_weights()
        for block in self.flow_blocks.values():
            block.init_weights()

    def train(self, mode: bool = True) -> RepFlowResNet:
        """Set the mode as MMAction2's ResNet does, and return self."""
        super().train(mode)
        if mode and self.partial_bn and not self.norm_eval:
            for module in self.flow_blocks.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.train().requires_grad_()
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
        num_frames = self._frames_per_clip(x)
        frames = x if folded else fold_time(x)
        frames, num_frames = self._flow_after('input', frames, num_frames, folded)
        frames, num_frames = self._flow_after('block1', self.maxpool(self.conv1(frames)), num_frames, folded)
        outs = []
        for i, (place, stage) in enumerate(self._res_places()):
            frames, num_frames = self._flow_after(place, stage(frames), num_frames, folded)
            if i in self.out_indices:
                outs.append(frames if folded else unfold_time(frames, num_frames))
        return outs[0] if len(outs) == 1 else tuple(outs)

    def _frames_per_clip(self, x: Tensor) -> int:
        if x.ndim == 5:
            return x.shape[2]
        if x.ndim != 4:
            raise ValueError(f'x must be (N, C, T, H, W) or (N*T, C, H, W), got shape {tuple(x.shape)}')
        if x.shape[0] % self.num_segments:
            raise ValueError(
                f'{x.shape[0]} frames (N*T, C, H, W) are no whole clips of num_segments={self.num_segments}: '
                'set num_segments to the frames of one clip'
            )
        return self.num_segments
