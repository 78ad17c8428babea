"""What a flow stream sees in place of a clip's frames: flow of neighbours, normalised, stacked, or of flow again."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from repflow_mm.classical_flow.methods import make_parameters, method_named
from repflow_mm.ops.arguments import check_count, check_number
from repflow_mm.ops.image_pairs import grey

NUM_FLOWS = (1, 2)


class FlowStream:
    """Flow of neighbouring frames as a network sees it: u / bound, u clipped to [-bound, bound].

    Those are the values of a flow image, 255 (u + bound) / (2 bound), after a mean and a standard deviation of 127.5,
    but for its rounding.

    Args:
        bound (float): Largest component of the flow, in pixels of the frames as they come. Defaults to 20.
        num_flows (int): 1, or 2 for flow applied twice: each component of the first flow, mapped from
            [-bound, bound] to [0, 255], is a sequence of grey images, whose flow is computed and normalised as the
            first. The channels are then the x- and the y-component of the flow of u_x, and those of u_y.
            Defaults to 1.
        stack_length (int, optional): L, to have each L neighbouring flows as the channels of one position in time, in
            MMAction2's order x, y, x, y, ...; the windows do not overlap, and last flows that fill none are left out.
            Defaults to None, a flow at each position.
        method (str): ``'tvl1'``, ``'brox'``, ``'farneback'`` or ``'dis'``. Defaults to ``'tvl1'``.
        parameters (dict, optional): The method's parameters that differ from its defaults. Defaults to None.
        max_pairs (int): Pairs of frames that are solved at a time, which bounds the memory. Defaults to 256.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range.

    Example:
        >>> FlowStream(stack_length=5)(torch.randint(0, 256, (1, 3, 16, 32, 32), dtype=torch.uint8)).shape
        torch.Size([1, 10, 3, 32, 32])
    """

    def __init__(
        self,
        bound: float = 20,
        num_flows: int = 1,
        stack_length: int | None = None,
        method: str = 'tvl1',
        parameters: dict | None = None,
        max_pairs: int = 256,
    ) -> None:
        check_bound(bound)
        if num_flows not in NUM_FLOWS:
            raise ValueError(f'num_flows must be one of {NUM_FLOWS}, got {num_flows!r}')
        if stack_length is not None:
            check_count('stack_length', stack_length)
        check_count('max_pairs', max_pairs)
        self.bound = float(bound)
        self.num_flows = num_flows
        self.stack_length = stack_length
        self.method = method
        self.parameters = make_parameters(method, parameters)
        self.max_pairs = max_pairs

    @property
    def out_channels(self) -> int:
        """Channels of what a network behind it sees."""
        return 2**self.num_flows * (self.stack_length or 1)

    @torch.no_grad()
    def __call__(self, frames: Tensor) -> Tensor:
        """Flow of clips, computed on the CPU, where the methods have their solvers, wherever the frames are.

        Args:
            frames (Tensor): Clips (B, 3, T, H, W), uint8: red, green and blue.

        Returns:
            Tensor: (B, C, T', H, W), float32 in [-1, 1], on the frames' device. T' is T - 1 (``num_flows=2``: T - 2),
            divided by ``stack_length`` if given; C is :attr:`out_channels`.

        Raises:
            TypeError: If frames are not uint8.
            ValueError: If their shape is another, or a clip is too short.
        """
        self.check(frames)
        device, frames = frames.device, frames.cpu()
        images = grey(frames.transpose(1, 2).flatten(0, 1))  # (B*T, 3, H, W) -> (B*T, 1, H, W)
        flows = self._flow(images.unflatten(0, (-1, frames.shape[2])).transpose(1, 2))  # (B, 2, T-1, H, W)
        if self.num_flows == 2:
            images = (flows + 1) * (255 / 2)
            flows = self._flow(images.flatten(0, 1)[:, None])  # (B*2, 1, T-1, H, W) -> (B*2, 2, T-2, H, W)
            flows = flows.unflatten(0, (-1, 2)).flatten(1, 2)  # (B, 2, 2, T-2, H, W) -> (B, 4, T-2, H, W)
        flows = flows if self.stack_length is None else stack_flows(flows, self.stack_length)
        return flows.to(device)

    def check(self, frames: Tensor) -> None:
        """Raise TypeError or ValueError if there is no flow of these frames."""
        if frames.dtype != torch.uint8:
            raise TypeError(f'frames must be uint8, got {frames.dtype}')
        if frames.ndim != 5 or frames.shape[1] != 3:
            raise ValueError(
                "frames must be (M, 3, T, H, W), as FormatShape with input_format='NCTHW' gives them for RGB, "
                f'got {tuple(frames.shape)}'
            )
        least = self.num_flows + (self.stack_length or 1)
        if frames.shape[2] < least:
            raise ValueError(
                f'clips must have T >= {least} frames for num_flows={self.num_flows} and '
                f'stack_length={self.stack_length}, got T = {frames.shape[2]}'
            )

    def _flow(self, images: Tensor) -> Tensor:
        """Normalised flow of neighbouring grey images: (B, 1, T, H, W) -> (B, 2, T-1, H, W), float32 in [-1, 1]."""
        neighbours = (images[:, :, :-1], images[:, :, 1:])
        pairs = [part.transpose(1, 2).flatten(0, 1).split(self.max_pairs) for part in neighbours]  # (B*(T-1), 1, H, W)
        compute = method_named(self.method).compute
        u = torch.cat([compute(prev, next, self.parameters) for prev, next in zip(*pairs)])  # (B*(T-1), 2, H, W)
        u = u.clamp(-self.bound, self.bound) / self.bound
        return u.unflatten(0, (-1, images.shape[2] - 1)).transpose(1, 2)  # (B, T-1, 2, H, W) -> (B, 2, T-1, H, W)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(bound={self.bound}, num_flows={self.num_flows}, '
            f'stack_length={self.stack_length}, method={self.method!r}, parameters={self.parameters})'
        )


def stack_flows(flows: Tensor, length: int) -> Tensor:
    """Windows of ``length`` flows as channels: (B, C, T, H, W) -> (B, length*C, T // length, H, W)."""
    windows = flows.shape[2] // length
    flows = flows[:, :, : windows * length].unflatten(2, (windows, length))  # (B, C, T', L, H, W)
    return flows.permute(0, 3, 1, 2, 4, 5).flatten(1, 2)  # (B, L, C, T', H, W) -> (B, L*C, T', H, W)


def check_bound(bound: float) -> None:
    """Raise TypeError or ValueError unless a bound of the flow is a positive number of pixels."""
    check_number('bound', bound)
    if not 0 < bound < math.inf:
        raise ValueError(f'bound must be > 0 and finite, in pixels, got {bound}')
