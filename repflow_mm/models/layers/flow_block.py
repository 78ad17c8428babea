"""The block around the flow layer: reduce, normalise, flow, expand, norm, fusion."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from mmaction.registry import MODELS
from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule, kaiming_init
from torch import Tensor, nn

from repflow_mm.models.layers.component_means import start_conv_as_means, start_expand_as_means
from repflow_mm.models.layers.folding import average_neighbours, fold_time, repeat_last, unfold_time
from repflow_mm.models.layers.representation_flow import RepresentationFlow
from repflow_mm.ops import normalize_flow_input
from repflow_mm.ops.normalize import SCOPES

FUSIONS = ('none', 'add', 'concat')
STEPS = ('flow', 'conv')
OUTPUTS = ('last', 'all')
INITS = ('kaiming', 'mean')
PADDINGS = ('zeros', 'replicate')


@MODELS.register_module()
class FlowBlock(BaseModule):
    """Flow block (Piergiovanni & Ryoo, CVPR 2019, Sections 3.2 and 3.3): features of clips in, features of clips out.

    ``features -> reduce (1x1 conv) -> steps -> expand (conv) -> norm -> fusion``: a ``'flow'`` step normalises its
    input, computes its flow (2c channels from c) and shortens the clip by one frame; a ``'conv'`` step brings 2c
    channels back to c (3x3, then 1x1). ``('flow', 'conv', 'flow')`` is the paper's flow of flow (FcF). The
    convolutions and the norm see single frames; flow is computed between neighbouring frames of a clip.

    The authors' FcF block is ``FlowBlock(in_channels, steps=('flow', 'conv', 'flow'), expand_kernel_size=3,
    fusion='add', zero_init_norm=True)``: 3x3 convolutions, a norm that starts at 0, the flow added to the features
    averaged over three frames, ReLU.

    A flow of flow hardly sees a steady motion, which the first flow shows alone; its channels are noisy estimates of
    one motion, which random weights mix without averaging; and padding with zeros gives a steady flow an edge that
    stands still. ``FlowBlock(in_channels, steps=('flow', 'conv', 'flow'), outputs='all', init='mean',
    conv_padding='replicate')`` is a flow of flow without these three, see docs/flow_of_flow.md.

    Args:
        in_channels (int): Channels C of the features.
        channels (int): Channels of the flow layers. Defaults to 32.
        steps (Sequence[str]): ``'flow'`` and ``'conv'`` in the order of computation; starts and ends with
            ``'flow'``. Defaults to ``('flow',)``.
        num_iters (int): Iterations of each flow layer. Defaults to 20.
        learn (Sequence[str]): What each flow layer learns, see :class:`RepresentationFlow`.
            Defaults to ``('theta', 'lam', 'tau', 'div')``.
        image_gradient (str): ``'central'`` or ``'sobel'``. Defaults to ``'central'``.
        theta (float): Start value in each flow layer. Defaults to 0.3.
        lam (float): Start value in each flow layer. Defaults to 0.15.
        tau (float): Start value in each flow layer. Defaults to 0.25.
        normalize (str): How the input of each flow layer is scaled, ``'clip'``, ``'batch'`` (the released code) or
            ``'clip_rms'``, see :func:`repflow_mm.ops.normalize_flow_input`. Defaults to ``'clip'``.
        expand_kernel_size (int): 1 or 3, the size of the expanding convolution. Defaults to 1.
        outputs (str): Which flows are expanded: ``'last'``, the last step's (the paper); ``'all'``, those of all flow
            steps, each averaged over the neighbouring frames that the last one is made of, side by side and normalised.
            With one flow step there is no difference. Defaults to ``'last'``.
        init (str): How convolutions that see flow start: ``'kaiming'``, or ``'mean'``, which adds a tenth of that to
            means over the x- and over the y-components of each flow (:mod:`.component_means`).
            Defaults to ``'kaiming'``.
        conv_padding (str): Padding of the 3x3 convolutions, ``'zeros'`` or ``'replicate'``. Defaults to ``'zeros'``.
        fusion (str): ``'none'``, the flow alone (the paper's default); ``'add'``, added to the features;
            ``'concat'``, concatenated with the features and brought back to C channels by a 1x1 convolution.
            Both are followed by ``act_cfg``. Defaults to ``'none'``.
        zero_init_norm (bool): Start the norm's weight at 0, so that the block starts as its residual; needs
            ``fusion='add'``. Defaults to False.
        keep_length (bool): Repeat the last flow so that T frames come out, and fuse it with the features as they are.
            Otherwise T shortens by the number of flow steps k, and the flow is fused with the mean over each k+1
            neighbouring frames. Defaults to False.
        norm_cfg (dict): Norm on folded frames. Defaults to ``dict(type='BN2d')``.
        act_cfg (dict, optional): Activation after ``'add'`` and ``'concat'``. Defaults to ``dict(type='ReLU')``.
        backend (str): Backend of :func:`repflow_mm.ops.rep_flow`. Defaults to ``'auto'``.

    Shape:
        - Input: (N, C, T, H, W), T > k.
        - Output: (N, C, T-k, H, W), or (N, C, T, H, W) with ``keep_length``.

    Raises:
        ValueError: If an argument is not allowed; in ``forward``, if the clips are too short for the flow steps.

    Example:
        >>> block = FlowBlock(64, channels=8, num_iters=5)
        >>> block(torch.rand(2, 64, 8, 14, 14)).shape
        torch.Size([2, 64, 7, 14, 14])
    """

    def __init__(
        self,
        in_channels: int,
        channels: int = 32,
        steps: Sequence[str] = ('flow',),
        num_iters: int = 20,
        learn: Sequence[str] = ('theta', 'lam', 'tau', 'div'),
        image_gradient: str = 'central',
        theta: float = 0.3,
        lam: float = 0.15,
        tau: float = 0.25,
        normalize: str = 'clip',
        expand_kernel_size: int = 1,
        outputs: str = 'last',
        init: str = 'kaiming',
        conv_padding: str = 'zeros',
        fusion: str = 'none',
        zero_init_norm: bool = False,
        keep_length: bool = False,
        norm_cfg: dict = dict(type='BN2d'),  # noqa: B006
        act_cfg: dict | None = dict(type='ReLU'),  # noqa: B006
        backend: str = 'auto',
    ) -> None:
        super().__init__()
        _check_steps(steps)
        _check_choices(
            normalize=(normalize, SCOPES),
            expand_kernel_size=(expand_kernel_size, (1, 3)),
            outputs=(outputs, OUTPUTS),
            init=(init, INITS),
            conv_padding=(conv_padding, PADDINGS),
            fusion=(fusion, FUSIONS),
        )
        if zero_init_norm and fusion != 'add':
            raise ValueError(f"zero_init_norm=True needs fusion='add', got {fusion!r}: nothing would pass the block")
        self.normalize, self.fusion, self.zero_init_norm = normalize, fusion, zero_init_norm
        self.keep_length, self.init = keep_length, init
        self.num_flows = list(steps).count('flow')
        self.reduce = nn.Conv2d(in_channels, channels, 1, bias=False)
        starts = dict(theta=theta, lam=lam, tau=tau)
        flow_cfg = dict(num_iters=num_iters, learn=learn, image_gradient=image_gradient, backend=backend, **starts)
        flow_channels = self._add_steps(steps, channels, flow_cfg, conv_padding)
        self.expanded_channels = flow_channels if outputs == 'all' else flow_channels[-1:]
        several = len(self.expanded_channels) > 1
        self.flow_norm = build_norm_layer(norm_cfg, sum(self.expanded_channels))[1] if several else None
        padding = dict(padding=expand_kernel_size // 2, padding_mode=conv_padding)
        self.expand = nn.Conv2d(sum(self.expanded_channels), in_channels, expand_kernel_size, **padding, bias=False)
        self.norm = build_norm_layer(norm_cfg, in_channels)[1]
        self.fuse = nn.Conv2d(2 * in_channels, in_channels, 1, bias=False) if fusion == 'concat' else None
        self.act = MODELS.build(act_cfg) if act_cfg is not None and fusion != 'none' else nn.Identity()
        self.init_weights()

    def _add_steps(self, steps: Sequence[str], channels: int, flow_cfg: dict, conv_padding: str) -> list[int]:
        """Build the steps, of which the first takes c channels; returns the channels of each flow."""
        self.steps, flow_channels = nn.ModuleDict(), []
        for i, kind in enumerate(steps):
            if kind == 'flow':
                self.steps[f'flow{i}'] = RepresentationFlow(channels, **flow_cfg)
                channels *= 2
                flow_channels.append(channels)
            else:
                self.steps[f'conv{i}'] = nn.Sequential(
                    nn.Conv2d(channels, channels, 3, padding=1, padding_mode=conv_padding, bias=False),
                    nn.Conv2d(channels, channels // 2, 1, bias=False),
                )
                channels //= 2
        return flow_channels

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs) -> None:
        """Load the keys of checkpoints from before version 0.2 too."""
        for key in [key for key in state_dict if key.startswith(prefix) and current_name(key) != key]:
            state_dict[current_name(key)] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def init_weights(self) -> None:
        """Initialise the convolutions as ``init`` says and set the norm's weight to 1, or 0 for ``zero_init_norm``."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                kaiming_init(module, mode='fan_in', nonlinearity='linear')
        if self.init == 'mean':
            for step in self.steps.values():
                if not isinstance(step, RepresentationFlow):
                    start_conv_as_means(step[0])
            start_expand_as_means(self.expand, self.expanded_channels)
        nn.init.constant_(self.norm.weight, 0.0 if self.zero_init_norm else 1.0)

    @property
    def replaces_features(self) -> bool:
        """Whether the flow alone comes out, without the features that it is computed from."""
        return self.fusion == 'none'

    def forward(self, x: Tensor) -> Tensor:
        """Flow of clips, fused with their features: (N, C, T, H, W) -> (N, C, T', H, W), T' as ``keep_length`` says."""
        flow = self.flow(x)
        return self.join(x, repeat_last(flow, x.shape[2]) if self.keep_length else flow)

    def flow(self, x: Tensor) -> Tensor:
        """Flow of clips up to the norm, without fusion: (N, C, T, H, W) -> (N, C, T-k, H, W).

        Raises:
            ValueError: If the clips are too short for the k flow steps.
        """
        length = x.shape[2]
        if length <= self.num_flows:
            raise ValueError(f'a clip needs more than {self.num_flows} frames for the flow block, got T = {length}')
        frames, flows = self.reduce(fold_time(x)), []  # (N*T, c, H, W)
        for step in self.steps.values():
            if isinstance(step, RepresentationFlow):
                clips = unfold_time(frames, length)  # (N, c, T, H, W)
                flows.append(step(normalize_flow_input(clips, self.normalize)))  # (N, 2c, T-1, H, W)
                frames, length = fold_time(flows[-1]).to(frames.dtype), length - 1  # (N*(T-1), 2c, H, W)
            else:
                frames = step(frames)
        if self.flow_norm is not None:
            frames = self.flow_norm(fold_time(_side_by_side(flows)))  # (N*T', sum of 2c, H, W)
        return unfold_time(self.norm(self.expand(frames)), length)  # (N*T', C, H, W) -> (N, C, T', H, W)

    def join(self, x: Tensor, flow: Tensor) -> Tensor:
        """Features (N, C, T, H, W) and their flow (N, C, T', H, W) fused to (N, C, T', H, W).

        Each frame of flow meets the mean of the T - T' + 1 frames of features that it is made of.
        """
        if self.replaces_features:
            return flow
        length = flow.shape[2]
        features = fold_time(average_neighbours(x, x.shape[2] - length + 1))  # (N*T', C, H, W)
        frames = fold_time(flow)
        joined = features + frames if self.fusion == 'add' else self.fuse(torch.cat((features, frames), dim=1))
        return unfold_time(self.act(joined), length)


def current_name(key: str) -> str:
    """The name of a tensor in a state dict whose name may be one from before version 0.2, with ``stages`` for steps."""
    return re.sub(r'(^|\.)stages\.(flow|conv)(?=\d)', r'\1steps.\2', key)


def _side_by_side(flows: Sequence[Tensor]) -> Tensor:
    """Flows (N, 2c, T, H, W) of falling lengths, averaged to the last one's T': (N, sum of 2c, T', H, W)."""
    length = flows[-1].shape[2]
    return torch.cat([average_neighbours(flow, flow.shape[2] - length + 1) for flow in flows], dim=1)


def _check_steps(steps: Sequence[str]) -> None:
    """Raise ValueError, quoting them, for steps that do not alternate as :class:`FlowBlock` says."""
    if isinstance(steps, str) or not steps or any(kind not in STEPS for kind in steps):
        raise ValueError(f'steps must be a sequence of names from {STEPS}, got {steps!r}')
    follows_flow = all(steps[i - 1] == 'flow' for i, kind in enumerate(steps) if kind == 'conv')
    if steps[0] != 'flow' or steps[-1] != 'flow' or not follows_flow:
        raise ValueError(f"steps must start and end with 'flow', each 'conv' right after a 'flow', got {steps!r}")


def _check_choices(**choices: tuple[object, tuple]) -> None:
    """Raise ValueError for the first setting whose value is not among those that are allowed."""
    for name, (value, allowed) in choices.items():
        if value not in allowed:
            raise ValueError(f'{name} must be one of {allowed}, got {value!r}')
