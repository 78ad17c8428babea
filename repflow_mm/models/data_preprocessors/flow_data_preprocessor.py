"""TV-L1 flow of the batch in place of its frames: a flow stream with nothing on disk."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from mmaction.models import ActionDataPreprocessor
from mmaction.registry import MODELS
from torch import Tensor

from repflow_mm.models.layers.folding import fold_time, unfold_time
from repflow_mm.ops import tvl1_flow
from repflow_mm.ops.image_pairs import grey
from repflow_mm.ops.tvl1_parameters import TVL1Parameters

NUM_FLOWS = (1, 2)


@MODELS.register_module()
class FlowDataPreprocessor(ActionDataPreprocessor):
    """TV-L1 flow of neighbouring frames, computed by :func:`repflow_mm.ops.tvl1_flow` when a batch needs it.

    Takes what a pipeline for RGB packs with ``FormatShape('NCTHW')``, and gives what a flow stream sees: u / bound,
    u clipped to [-bound, bound]. Those are the values of a flow image, 255 (u + bound) / (2 bound), after a mean and a
    standard deviation of 127.5, but for its rounding. Flow is computed of the frames as they come, so crops, resizing
    and flips of the frames are right for it by construction, and ``frame_interval`` is the step between its frames.
    Frames must be in the order red, green, blue, as MMAction2's decoders give them.

    Args:
        bound (float): Largest component of the flow, in pixels of the frames as they come. Defaults to 20.
        num_flows (int): 1, or 2 for TV-L1 applied twice: each component of the first flow, mapped from
            [-bound, bound] to [0, 255], is a sequence of grey images, whose flow is computed and normalised as the
            first. The channels are then the x- and the y-component of the flow of u_x, and those of u_y.
            Defaults to 1.
        stack_length (int, optional): L, to have each L neighbouring flows as the channels of one position in time, in
            MMAction2's order x, y, x, y, ...; the windows do not overlap, and last flows that fill none are left out.
            Defaults to None, a flow at each position.
        tvl1 (dict, optional): Arguments of ``tvl1_flow`` that differ from its defaults. Defaults to None.
        max_pairs (int): Pairs of frames that are solved at a time, which bounds the memory. Defaults to 256.
        blending (dict, optional): Batch blending of ``ActionDataPreprocessor``, applied to the flow.
            Defaults to None.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range.

    Example:
        >>> preprocessor = FlowDataPreprocessor(stack_length=5)
        >>> clips = [torch.randint(0, 256, (1, 3, 16, 32, 32), dtype=torch.uint8)]
        >>> preprocessor(dict(inputs=clips, data_samples=None))['inputs'].shape
        torch.Size([1, 1, 10, 3, 32, 32])
    """

    def __init__(
        self,
        bound: float = 20,
        num_flows: int = 1,
        stack_length: int | None = None,
        tvl1: dict | None = None,
        max_pairs: int = 256,
        blending: dict | None = None,
    ) -> None:
        super().__init__(blending=blending, format_shape='NCTHW')
        _check_bound(bound)
        if num_flows not in NUM_FLOWS:
            raise ValueError(f'num_flows must be one of {NUM_FLOWS}, got {num_flows!r}')
        for name, count in (('stack_length', stack_length), ('max_pairs', max_pairs)):
            if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
                raise ValueError(f'{name} must be an integer >= 1, got {count!r}')
        self.bound = float(bound)
        self.num_flows = num_flows
        self.stack_length = stack_length
        self.tvl1 = _checked_tvl1(tvl1)
        self.max_pairs = max_pairs

    @property
    def out_channels(self) -> int:
        """Channels that a backbone behind it has to take."""
        return 2**self.num_flows * (self.stack_length or 1)

    def preprocess(self, inputs: Sequence[Tensor], data_samples: list | None, training: bool = False) -> tuple:
        """Compute the flow of a batch.

        Args:
            inputs (Sequence[Tensor]): Frames of each sample's M views, uint8 (M, 3, T, H, W).
            data_samples (list, optional): The data samples, passed on.
            training (bool): Whether to blend. Defaults to False.

        Returns:
            tuple: Flow (N, M, C, T', H, W), float32, on the frames' device, and the data samples. T' is T - 1
            (``num_flows=2``: T - 2), divided by ``stack_length`` if given; C is :attr:`out_channels`. Samples of
            different sizes are padded with zeros, no motion, below and on the right.

        Raises:
            TypeError: If frames are not uint8.
            ValueError: If their shape is another, or a clip is too short.
        """
        for clips in inputs:
            self._check(clips)
        if len({clips.shape for clips in inputs}) == 1:
            flows = list(self._flow_stream(torch.stack(tuple(inputs))))  # (N, M, 3, T, H, W) -> N of (M, C, T', H, W)
        else:
            flows = [self._flow_stream(clips[None])[0] for clips in inputs]
        return super().preprocess(flows, data_samples, training)

    @torch.no_grad()
    def _flow_stream(self, frames: Tensor) -> Tensor:
        """What the backbone sees, float32 (N, M, C, T', H, W), of frames (N, M, 3, T, H, W)."""
        num_views, num_frames = frames.shape[1], frames.shape[3]
        images = grey(fold_time(frames.flatten(0, 1)))  # (N*M, 3, T, H, W) -> (N*M*T, 1, H, W)
        flows = self._flow(unfold_time(images, num_frames))  # (N*M, 2, T-1, H, W)
        if self.num_flows == 2:
            images = (flows + 1) * (255 / 2)
            flows = self._flow(images.flatten(0, 1)[:, None])  # (N*M*2, 1, T-1, H, W) -> (N*M*2, 2, T-2, H, W)
            flows = flows.unflatten(0, (-1, 2)).flatten(1, 2)  # (N*M, 2, 2, T-2, H, W) -> (N*M, 4, T-2, H, W)
        if self.stack_length is not None:
            flows = stack_flows(flows, self.stack_length)
        return flows.unflatten(0, (-1, num_views))  # (N, M, C, T', H, W)

    def _flow(self, images: Tensor) -> Tensor:
        """Normalised flow of neighbouring grey images: (B, 1, T, H, W) -> (B, 2, T-1, H, W), float32 in [-1, 1]."""
        pairs = [fold_time(part).split(self.max_pairs) for part in (images[:, :, :-1], images[:, :, 1:])]
        u = torch.cat([tvl1_flow(prev, next, **self.tvl1) for prev, next in zip(*pairs)])  # (B*(T-1), 2, H, W)
        return unfold_time(u.clamp(-self.bound, self.bound) / self.bound, images.shape[2] - 1)

    def _check(self, clips: Tensor) -> None:
        if clips.dtype != torch.uint8:
            raise TypeError(f'frames must be uint8, got {clips.dtype}')
        if clips.ndim != 5 or clips.shape[1] != 3:
            raise ValueError(
                "frames must be (M, 3, T, H, W), as FormatShape with input_format='NCTHW' gives them for RGB, "
                f'got {tuple(clips.shape)}'
            )
        least = self.num_flows + (self.stack_length or 1)
        if clips.shape[2] < least:
            raise ValueError(
                f'clips must have T >= {least} frames for num_flows={self.num_flows} and '
                f'stack_length={self.stack_length}, got T = {clips.shape[2]}'
            )


def stack_flows(flows: Tensor, length: int) -> Tensor:
    """Windows of ``length`` flows as channels: (B, C, T, H, W) -> (B, length*C, T // length, H, W)."""
    windows = flows.shape[2] // length
    flows = flows[:, :, : windows * length].unflatten(2, (windows, length))  # (B, C, T', L, H, W)
    return flows.permute(0, 3, 1, 2, 4, 5).flatten(1, 2)  # (B, L, C, T', H, W) -> (B, L*C, T', H, W)


def _check_bound(bound: float) -> None:
    if isinstance(bound, bool) or not isinstance(bound, (int, float)):
        raise TypeError(f'bound must be a number, got {type(bound).__name__} {bound!r}')
    if not 0 < bound < math.inf:
        raise ValueError(f'bound must be > 0 and finite, in pixels, got {bound}')


def _checked_tvl1(tvl1: dict | None) -> dict:
    """The arguments as a dict of their own; raises what ``tvl1_flow`` would at the first batch."""
    arguments = dict(tvl1 or {})
    allowed = (*TVL1Parameters.__dataclass_fields__, 'backend')
    unknown = [name for name in arguments if name not in allowed]
    if unknown:
        raise ValueError(f'tvl1 must have keys from {allowed}, got {unknown[0]!r}')
    TVL1Parameters(**{name: value for name, value in arguments.items() if name != 'backend'})
    return arguments
