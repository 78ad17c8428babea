"""The block around the flow layer: reduce, normalise, flow, expand, norm, fusion."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmaction.registry import MODELS
from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule, kaiming_init
from torch import Tensor, nn

from repflow_mm.models.layers.folding import average_neighbours, first_frames, fold_time, repeat_last, unfold_time
from repflow_mm.models.layers.representation_flow import RepresentationFlow
from repflow_mm.ops import normalize_flow_input
from repflow_mm.ops.normalize import SCOPES

FUSIONS = ('none', 'add', 'concat')
STEPS = ('flow', 'conv')


@MODELS.register_module()
class FlowBlock(BaseModule):
    """Flow block on frames folded into the batch (Piergiovanni & Ryoo, CVPR 2019, Sections 3.2 and 3.3).

    ``frames -> reduce (1x1 conv) -> steps -> expand (conv) -> norm -> fusion``: a ``'flow'`` step normalises its
    input, computes its flow (2c channels from c) and shortens the clip by one frame; a ``'conv'`` step brings 2c
    channels back to c (3x3, then 1x1). ``('flow', 'conv', 'flow')`` is the paper's flow of flow (FcF).

    The authors' FcF block is ``FlowBlock(in_channels, steps=('flow', 'conv', 'flow'), expand_kernel_size=3,
    fusion='add', zero_init_norm=True)``: 3x3 convolutions, a norm that starts at 0, the flow added to the features
    averaged over three frames, ReLU.

    Args:
        in_channels (int): Channels C of the features.
        channels (int): Channels of the flow layers. Defaults to 32.
        steps (Sequence[str]): ``'flow'`` and ``'conv'`` in the order of computation; starts and ends with
            ``'flow'``. Defaults to ``('flow',)``.
        num_iters (int): Iterations of each flow layer. Defaults to 20.
        learn (Sequence[str]): What each flow layer learns, see :class:`RepresentationFlow`.
            Defaults to ``('theta', 'lam', 'tau', 'div')``.
        image_gradient (str): ``'central'`` or ``'sobel'``. Defaults to ``'central'``.
        normalize (str): Scope of the normalisation, ``'clip'`` or ``'batch'`` (the released code).
            Defaults to ``'clip'``.
        expand_kernel_size (int): 1 or 3, the size of the expanding convolution. Defaults to 1.
        fusion (str): ``'none'``, the flow alone (the paper's default); ``'add'``, added to the features;
            ``'concat'``, concatenated with the features and brought back to C channels by a 1x1 convolution.
            Both are followed by ``act_cfg``. Defaults to ``'none'``.
        zero_init_norm (bool): Start the norm's weight at 0, so that the block starts as its residual; needs
            ``fusion='add'``. Defaults to False.
        norm_cfg (dict): Norm on folded frames. Defaults to ``dict(type='BN2d')``.
        act_cfg (dict, optional): Activation after ``'add'`` and ``'concat'``. Defaults to ``dict(type='ReLU')``.
        backend (str): Backend of :func:`repflow_mm.ops.rep_flow`. Defaults to ``'auto'``.

    Raises:
        ValueError: If an argument is not allowed.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int = 32,
        steps: Sequence[str] = ('flow',),
        num_iters: int = 20,
        learn: Sequence[str] = ('theta', 'lam', 'tau', 'div'),
        image_gradient: str = 'central',
        normalize: str = 'clip',
        expand_kernel_size: int = 1,
        fusion: str = 'none',
        zero_init_norm: bool = False,
        norm_cfg: dict = dict(type='BN2d'),  # noqa: B006
        act_cfg: dict | None = dict(type='ReLU'),  # noqa: B006
        backend: str = 'auto',
    ) -> None:
        super().__init__()
        _check_options(steps, normalize, expand_kernel_size, fusion, zero_init_norm)
        self.normalize, self.fusion, self.zero_init_norm = normalize, fusion, zero_init_norm
        self.num_flows = list(steps).count('flow')
        self.reduce = nn.Conv2d(in_channels, channels, 1, bias=False)
        flow_cfg = dict(num_iters=num_iters, learn=learn, image_gradient=image_gradient, backend=backend)
        self.steps = nn.ModuleDict()
        for i, kind in enumerate(steps):
            if kind == 'flow':
                self.steps[f'flow{i}'] = RepresentationFlow(channels, **flow_cfg)
                channels *= 2
            else:
                self.steps[f'conv{i}'] = nn.Sequential(
                    nn.Conv2d(channels, channels, 3, padding=1, bias=False),
                    nn.Conv2d(channels, channels // 2, 1, bias=False),
                )
                channels //= 2
        padding = expand_kernel_size // 2
        self.expand = nn.Conv2d(channels, in_channels, expand_kernel_size, padding=padding, bias=False)
        self.norm = build_norm_layer(norm_cfg, in_channels)[1]
        self.fuse = nn.Conv2d(2 * in_channels, in_channels, 1, bias=False) if fusion == 'concat' else None
        self.act = MODELS.build(act_cfg) if act_cfg is not None and fusion != 'none' else nn.Identity()
        self.init_weights()

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs) -> None:
        """Load the keys of checkpoints from before version 0.2 too, which call the steps ``stages``."""
        old = prefix + 'stages.'
        for key in [key for key in state_dict if key.startswith(old)]:
            state_dict[prefix + 'steps.' + key.removeprefix(old)] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def init_weights(self) -> None:
        """Kaiming-initialise the convolutions and set the norm's weight to 1, or to 0 for ``zero_init_norm``."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                kaiming_init(module, mode='fan_in', nonlinearity='linear')
        nn.init.constant_(self.norm.weight, 0.0 if self.zero_init_norm else 1.0)

    def forward(
        self, frames: Tensor, num_frames: int, keep_frames: bool = False, num_repeated: int = 0
    ) -> tuple[Tensor, int]:
        """Replace the features of clips by their flow, or fuse the two.

        Args:
            frames (Tensor): Features of N clips of T frames, (N*T, C, H, W).
            num_frames (int): T, the frames of one clip; flow is computed within clips only.
            keep_frames (bool): Repeat the last flow so that T frames come out, and fuse with the frames as they
                are. Otherwise T shortens by the number of flow steps k and the flow is fused with the mean over
                each k+1 neighbouring frames. Defaults to False.
            num_repeated (int): How many of a clip's last frames are repetitions that a block before has added; with
                ``keep_frames`` no flow is computed from them. Defaults to 0.

        Returns:
            tuple[Tensor, int]: (N*T', C, H, W) and T'.

        Raises:
            ValueError: If the clips are too short for the flow steps.
        """
        length = num_frames - num_repeated
        if length <= self.num_flows:
            raise ValueError(f'a clip needs more than {self.num_flows} frames for the flow block, got T = {length}')
        flow = self.reduce(first_frames(frames, num_frames, length))  # (N*length, c, H, W)
        for step in self.steps.values():
            if isinstance(step, RepresentationFlow):
                clips = unfold_time(flow, length)  # (N, c, T, H, W)
                u = step(normalize_flow_input(clips, self.normalize))  # (N, 2c, T-1, H, W)
                flow, length = fold_time(u).to(flow.dtype), length - 1  # (N*(T-1), 2c, H, W)
            else:
                flow = step(flow)
        flow = self.norm(self.expand(flow))  # (N*T', C, H, W)
        if keep_frames:
            flow, length = repeat_last(flow, length, num_frames), num_frames
        return self._fuse(frames, flow, num_frames, window=num_frames - length + 1), length

    def _fuse(self, frames: Tensor, flow: Tensor, num_frames: int, window: int) -> Tensor:
        """Join features (N*T, C, H, W) and flow (N*T', C, H, W) to (N*T', C, H, W)."""
        if self.fusion == 'none':
            return flow
        features = average_neighbours(frames, num_frames, window)
        joined = features + flow if self.fusion == 'add' else self.fuse(torch.cat((features, flow), dim=1))
        return self.act(joined)


def _check_options(steps, normalize, expand_kernel_size, fusion, zero_init_norm) -> None:
    """Raise ValueError, quoting the value, for a setting of :class:`FlowBlock` that is not allowed."""
    if isinstance(steps, str) or not steps or any(kind not in STEPS for kind in steps):
        raise ValueError(f'steps must be a sequence of names from {STEPS}, got {steps!r}')
    follows_flow = all(steps[i - 1] == 'flow' for i, kind in enumerate(steps) if kind == 'conv')
    if steps[0] != 'flow' or steps[-1] != 'flow' or not follows_flow:
        raise ValueError(f"steps must start and end with 'flow', each 'conv' right after a 'flow', got {steps!r}")
    if normalize not in SCOPES:
        raise ValueError(f'normalize must be one of {SCOPES}, got {normalize!r}')
    if expand_kernel_size not in (1, 3):
        raise ValueError(f'expand_kernel_size must be 1 or 3, got {expand_kernel_size!r}')
    if fusion not in FUSIONS:
        raise ValueError(f'fusion must be one of {FUSIONS}, got {fusion!r}')
    if zero_init_norm and fusion != 'add':
        raise ValueError(f"zero_init_norm=True needs fusion='add', got {fusion!r}: nothing would pass the block")
