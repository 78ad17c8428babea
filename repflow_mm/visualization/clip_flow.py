"""The flow of a clip as it is shown: a track for each channel, and when each flow belongs to which frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

# This share of the flow is shorter than what has the full colour: a few outliers would make all else pale.
QUANTILE = 0.99
# torch.quantile takes 2^24 numbers at most.
MOST_NUMBERS = 1_000_000
MEAN = 'mean'


@dataclass(frozen=True)
class FlowTrack:
    """Flow over the length of a clip: of a channel of a layer, of the mean over its channels, or a classical one.

    Attributes:
        layer: Name of the layer, or ``'classical'``.
        channel: ``'mean'``, ``'channel 7'``, ``'red'``, or the name of the classical method.
        flow: (2, L, h, w), x and y in pixels of its grid per frame step, on the CPU.
        longest: Length in pixels that has the full colour.
    """

    layer: str
    channel: str
    flow: Tensor
    longest: float

    @classmethod
    def of(cls, layer: str, channel: str, flow: Tensor) -> FlowTrack:
        """A track whose scale is that of its flow (2, L, h, w)."""
        flow = flow.detach().float().cpu()
        lengths = torch.hypot(*flow).flatten()
        lengths = lengths[:: max(len(lengths) // MOST_NUMBERS, 1)]
        return cls(layer, channel, flow, max(lengths.quantile(QUANTILE).item(), 1e-6))

    @property
    def title(self) -> str:
        """What a caption says: layer and channel."""
        return f'{self.layer} {self.channel}'

    def step_of(self, frame: int, num_frames: int) -> int:
        """The flow that starts at a frame: L flows are spread evenly over the steps between the clip's frames."""
        length = self.flow.shape[1]
        step = round((frame + 0.5) * length / max(num_frames - 1, 1) - 0.5)
        return min(max(step, 0), length - 1)

    def at(self, frame: int, num_frames: int) -> Tensor:
        """The flow (2, h, w) that starts at a frame of a clip."""
        return self.flow[:, self.step_of(frame, num_frames)]


@dataclass(frozen=True)
class ClipFlow:
    """A clip and what was seen in it.

    Attributes:
        frames: (T, 3, H, W), uint8, RGB, as the network takes them.
        tracks: What the layers see, layer by layer: the mean over the channels, then channels.
        classical: Flow of a classical method, or None.
        scores: Names and probabilities of the likeliest classes, the likeliest first; empty without a prediction.
    """

    frames: Tensor
    tracks: Sequence[FlowTrack]
    classical: FlowTrack | None = None
    scores: Sequence[tuple[str, float]] = ()

    @property
    def num_steps(self) -> int:
        """Steps from a frame to the next."""
        return max(len(self.frames) - 1, 1)

    @property
    def layers(self) -> dict[str, list[FlowTrack]]:
        """The tracks of each layer by its name."""
        layers = {}
        for track in self.tracks:
            layers.setdefault(track.layer, []).append(track)
        return layers


def most_active(flow: Tensor, count: int) -> list[int]:
    """Numbers of the channels of a layer's flow (2, C, L, h, w) with the longest flow on average, longest first."""
    activity = torch.hypot(*flow.float()).mean(dim=(1, 2, 3))  # (C,)
    return activity.argsort(descending=True)[:count].tolist()


def layer_tracks(
    layer: str, flow: Tensor, channels: Sequence[int] | None = None, most: int = 3, names: Sequence[str] = ()
) -> list[FlowTrack]:
    """The tracks of a layer: the mean over its channels, and channels.

    Args:
        layer (str): Its name.
        flow (Tensor): (2, C, L, h, w).
        channels (Sequence[int], optional): Which channels. Defaults to None, those with the longest flow.
        most (int): How many channels where none are named. Defaults to 3.
        names (Sequence[str]): Names of the channels. Defaults to ``'channel 0'``, ...

    Raises:
        ValueError: If there is no such channel.
    """
    count = flow.shape[1]
    wrong = [channel for channel in channels or () if not 0 <= channel < count]
    if wrong:
        raise ValueError(f'layer {layer} has channels 0 to {count - 1}, got {wrong[0]}')
    chosen = most_active(flow, most) if channels is None else channels
    tracks = [FlowTrack.of(layer, names[k] if names else f'channel {k}', flow[:, k]) for k in chosen]
    return [FlowTrack.of(layer, MEAN, flow.mean(dim=1)), *tracks]
