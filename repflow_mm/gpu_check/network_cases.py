"""The networks that are timed, their settings and number formats, and their training step."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NUM_CLASSES = 400
FLOW = dict(after='block3', channels=32, learn=('theta', 'lam', 'tau', 'div'))
RESIDUAL = dict(fusion='add', zero_init_norm=True)
FLOW_OF_FLOW = dict(FLOW, **RESIDUAL, steps=('flow', 'conv', 'flow'), expand_kernel_size=3)
RGB, REPFLOW, FCF, TSM, TSM_FLOW = 'RGB', 'RepFlow', 'FcF', 'TSM', 'WithFlow on TSM'
# Network: the one whose time it is compared with.
NETWORKS = {RGB: None, REPFLOW: RGB, FCF: RGB, TSM: None, TSM_FLOW: TSM}


class Setting(NamedTuple):
    """A batch of clips and the depth of the ResNet."""

    name: str
    depth: int
    frames: int
    size: int
    clips: int


R50 = Setting('R50 32×224, 8 clips', 50, 32, 224, 8)
R34 = Setting('R34 16×112, 24 clips', 34, 16, 112, 24)
TINY = Setting('R18 4×32, 1 clip', 18, 4, 32, 1)


class Mode(NamedTuple):
    """Number format and memory layout; ``dtype`` None is float32 without autocast."""

    name: str
    dtype: torch.dtype | None = None
    channels_last: bool = False


FP32 = Mode('fp32')
BF16 = Mode('bf16', torch.bfloat16)
FP16 = Mode('fp16', torch.float16)
BF16_CHANNELS_LAST = Mode('bf16, channels-last', torch.bfloat16, channels_last=True)
MODES = (FP32, BF16, FP16, BF16_CHANNELS_LAST)


class Classifier(nn.Module):
    """A backbone and a head of MMAction2's on clips (N, 3, T, H, W)."""

    def __init__(self, backbone: dict, head: dict, folded: bool) -> None:
        super().__init__()
        from mmaction.registry import MODELS

        import repflow_mm.models  # noqa: F401

        self.backbone, self.cls_head = MODELS.build(backbone), MODELS.build(head)
        self.folded = folded

    def forward(self, clips: Tensor) -> Tensor:
        """Scores (N, classes)."""
        if not self.folded:
            return self.cls_head(self.backbone(clips))
        frames = clips.transpose(1, 2).flatten(0, 1)  # (N, 3, T, H, W) -> (N*T, 3, H, W)
        return self.cls_head(self.backbone(frames), clips.shape[2])


def build_network(name: str, setting: Setting) -> Classifier:
    """One of ``NETWORKS`` with random weights."""
    torch.manual_seed(0)
    flow = dict(num_iters=2 if setting is TINY else 20)
    common = dict(depth=setting.depth, num_segments=setting.frames)
    features = dict(in_channels=2048 if setting.depth >= 50 else 512, num_classes=NUM_CLASSES)
    if name in (TSM, TSM_FLOW):
        backbone = dict(type='ResNetTSM', **common)
        if name == TSM_FLOW:
            block = dict(FLOW, **RESIDUAL, after='layer2', **flow)  # the module that the paper's third block is
            backbone = dict(type='WithFlow', backbone=backbone, flow=block)
        head = dict(type='TSMHead', num_segments=setting.frames, is_shift=True, **features)
        return Classifier(backbone, head, folded=True)
    blocks = {RGB: None, REPFLOW: dict(FLOW, fusion='none') | flow, FCF: FLOW_OF_FLOW | flow}
    backbone = dict(type='RepFlowResNet', flow=blocks[name], **common)
    return Classifier(backbone, dict(type='I3DHead', **features), folded=False)


class Trial:
    """A network with its batch and its optimizer in one mode."""

    def __init__(self, network: nn.Module, setting: Setting, mode: Mode, device: str) -> None:
        layout = torch.channels_last if mode.channels_last else torch.contiguous_format
        self.network, self.mode, self.device = network.to(device, memory_format=layout), mode, device
        shape = (setting.clips, 3, setting.frames, setting.size, setting.size)
        clips = torch.rand(shape, device=device)
        self.clips = clips.to(memory_format=torch.channels_last_3d) if mode.channels_last else clips
        self.labels = torch.randint(NUM_CLASSES, (setting.clips,), device=device)
        self.optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9, weight_decay=1e-4)
        self.scaler = torch.amp.GradScaler(torch.device(device).type, enabled=mode.dtype == torch.float16)
        self.loss = None

    def forward(self) -> Tensor:
        """Scores of the batch, as in a test."""
        self.network.eval()
        with torch.no_grad(), self._autocast():
            return self.network(self.clips)

    def step(self) -> None:
        """One training step: forward, backward, optimizer."""
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        with self._autocast():
            self.loss = F.cross_entropy(self.network(self.clips), self.labels)
        self.scaler.scale(self.loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def calls(self) -> dict[str, Callable[[], object]]:
        """What is timed, by name."""
        return dict(forward=self.forward, step=self.step)

    def _autocast(self) -> contextlib.AbstractContextManager:
        if self.mode.dtype is None:
            return contextlib.nullcontext()
        return torch.autocast(torch.device(self.device).type, self.mode.dtype)
