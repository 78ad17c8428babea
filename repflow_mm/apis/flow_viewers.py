"""What shows the flow of a video: the flow layers of a trained network, or an untrained layer on the frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch
from torch import Tensor

from repflow_mm.apis.checkpoint import checkpoint_of
from repflow_mm.apis.recognizer import load_recognizer
from repflow_mm.classical_flow.methods import method_named
from repflow_mm.datasets.video_reading import read_frames
from repflow_mm.models.layers import RepresentationFlow
from repflow_mm.ops import normalize_flow_input
from repflow_mm.ops.arguments import check_count
from repflow_mm.visualization.clip_flow import ClipFlow, FlowTrack, layer_tracks
from repflow_mm.visualization.layer_flow import flow_layers, short_name
from repflow_mm.visualization.recognizer_flow import Seen, see_sample

COLOURS = ('red', 'green', 'blue')
FRAMES = 'frames'
SEVERAL_CROPS = ('ThreeCrop', 'TenCrop')


@dataclass(frozen=True)
class SolverSettings:
    """Terms of the solver in place of a layer's own; None leaves the layer's.

    Args:
        num_iters (int, optional): Iterations.
        theta (float, optional): Tightness of the coupling.
        lam (float, optional): Weight of the data term.
        tau (float, optional): Step of the dual ascent.
    """

    num_iters: int | None = None
    theta: float | None = None
    lam: float | None = None
    tau: float | None = None

    @contextmanager
    def in_place(self, layer: RepresentationFlow) -> Iterator[None]:
        """Within, the layer has these terms."""
        terms = {name: getattr(self, name) for name in ('theta', 'lam', 'tau') if getattr(self, name) is not None}
        before = layer.num_iters, {name: getattr(layer, f'raw_{name}').detach().clone() for name in terms}
        layer.num_iters = layer.num_iters if self.num_iters is None else self.num_iters
        try:
            _set_terms(layer, terms)
            yield
        finally:
            layer.num_iters = before[0]
            _set_terms(layer, before[1])


@torch.no_grad()
def _set_terms(layer: RepresentationFlow, terms: dict[str, float | Tensor]) -> None:
    for name, value in terms.items():
        getattr(layer, f'raw_{name}').fill_(value)


class Viewer(Protocol):
    """What flow layers see in videos.

    Attributes:
        layers: The layers by the names that they are shown under.
        channel_names: Names of a layer's channels, or ``()``.
        class_names: Names of the classes, or ``()``.
    """

    layers: dict[str, RepresentationFlow]
    channel_names: Sequence[str]
    class_names: Sequence[str]

    def see(self, video: str | Path) -> Seen:
        """Look at a video; raises OSError or ValueError for one that cannot be read."""


class FramesViewer:
    """An untrained flow layer on the colours of the frames, each scaled as a flow block scales its features.

    Args:
        short_side (int): Shorter side that frames are resized to, in pixels: motion of more than a pixel or two a
            frame step is not found on one scale. Defaults to 128.
        num_frames (int): Frames of a clip, at most. Defaults to 32.
        start (int): First frame. Defaults to 0.
        interval (int): Frames of the video from one of the clip to the next. Defaults to 1.
        num_iters (int): Iterations. Defaults to 50.

    Raises:
        TypeError, ValueError: If an argument is not allowed.
    """

    channel_names, class_names = COLOURS, ()

    def __init__(
        self, short_side: int = 128, num_frames: int = 32, start: int = 0, interval: int = 1, num_iters: int = 50
    ) -> None:
        for name, value, smallest in (
            ('short_side', short_side, 8),
            ('num_frames', num_frames, 2),
            ('start', start, 0),
            ('interval', interval, 1),
        ):
            check_count(name, value, smallest)
        self.short_side, self.num_frames, self.start, self.interval = short_side, num_frames, start, interval
        self.layers = {FRAMES: RepresentationFlow(len(COLOURS), num_iters=num_iters).eval()}

    def see(self, video: str | Path) -> Seen:
        """Look at the first frames of a video.

        Raises:
            FileNotFoundError: If it does not exist.
            ValueError: If it cannot be read, or has less than two frames from ``start`` on.
        """
        _check_exists(video)
        last = self.start + self.num_frames * self.interval
        frames = list(islice(read_frames(str(video)), self.start, last, self.interval))
        if len(frames) < 2:
            raise ValueError(f'{video} has {len(frames)} frames from {self.start} on; flow needs 2')
        frames = np.stack([_resized(frame, self.short_side) for frame in frames])
        clip = torch.from_numpy(frames).permute(0, 3, 1, 2)  # (T, H, W, 3) -> (T, 3, H, W)
        features = normalize_flow_input(clip.transpose(0, 1)[None].float())  # (1, 3, T, H, W)
        with torch.inference_mode():
            u = self.layers[FRAMES](features)[0]  # (6, T-1, H, W)
        return Seen(clip.contiguous(), {FRAMES: u.unflatten(0, (2, -1)).clone()})


class NetworkViewer:
    """The flow layers of a trained recognizer, and its prediction, on one view of a video.

    Args:
        config (str | Path): The network's config; its test pipeline gives the clip.
        checkpoint (str | Path): The network's weights, or the folder of the training.
        class_names (str | Path, optional): See :func:`repflow_mm.apis.recognizer.load_recognizer`.
        device (str): Where the network runs. Defaults to ``'cpu'``.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If the checkpoint is of another architecture, or the network has no flow layer.
    """

    channel_names = ()

    def __init__(
        self, config: str | Path, checkpoint: str | Path, class_names: str | Path | None = None, device: str = 'cpu'
    ) -> None:
        self.recognizer = load_recognizer(config, checkpoint_of(str(checkpoint)), device, class_names)
        # Scores are shown as probabilities.
        self.recognizer.model.cls_head.average_clips = 'prob'
        self.layers = {short_name(name): layer for name, layer in flow_layers(self.recognizer.model).items()}
        names = self.recognizer.classes
        # Bare numbers would read as scores in a picture.
        self.class_names = () if list(names) == [str(label) for label in range(len(names))] else names
        self.pipeline = self.recognizer.pipeline(one_view)

    def see(self, video: str | Path) -> Seen:
        """Look at the view of the video that the test pipeline gives."""
        _check_exists(video)
        return see_sample(self.recognizer.model, self.pipeline(self.recognizer.sample(filename=str(video))))


def check_network(config: str | None, checkpoint: str | None) -> None:
    """Raise ValueError if a command has one of ``--config`` and ``--checkpoint`` without the other."""
    if (config is None) != (checkpoint is None):
        raise ValueError('--config and --checkpoint go together; without both, an untrained layer sees the frames')


def one_view(pipeline: Sequence[dict]) -> list[dict]:
    """A test pipeline that gives one clip and one crop, both from the middle, of those that are averaged in tests."""
    steps = []
    for step in pipeline:
        step = dict(step)
        if step.get('clip_len', 1) > 1 and step.get('num_clips', 1) > 1:
            step['num_clips'] = 1
        if step['type'] in SEVERAL_CROPS:
            step = dict(type='CenterCrop', crop_size=step['crop_size'])
        steps.append(step)
    return steps


def see_clip(
    viewer: Viewer,
    video: str | Path,
    method: str | None = 'tvl1',
    layers: Sequence[str] | None = None,
    channels: Sequence[int] | None = None,
    most: int = 3,
) -> ClipFlow:
    """Everything that is shown of a video.

    Args:
        viewer (Viewer): What looks at it.
        video (str | Path): The video.
        method (str, optional): Classical flow beside it, a name out of
            :data:`repflow_mm.classical_flow.METHODS`. Defaults to ``'tvl1'``.
        layers (Sequence[str], optional): Names of layers, without ``backbone.flow_blocks`` and ``steps``. Defaults to
            all.
        channels (Sequence[int], optional): Channels that are shown. Defaults to None, the most active ones.
        most (int): How many of these. Defaults to 3.

    Raises:
        OSError, ValueError: If the video cannot be read, or a name is unknown.
    """
    chosen = list(viewer.layers) if layers is None else layers
    unknown = [name for name in chosen if name not in viewer.layers]
    if unknown:
        raise ValueError(f'layers must be any of {list(viewer.layers)}, got {unknown[0]!r}')
    seen = viewer.see(video)
    tracks = [
        track
        for name in chosen
        for track in layer_tracks(name, seen.flows[name], channels, most, names=viewer.channel_names)
    ]
    classical = None if method is None else FlowTrack.of('classical', method, classical_flow(seen.frames, method))
    return ClipFlow(seen.frames, tracks, classical, seen.top(5, viewer.class_names))


def classical_flow(frames: Tensor, method: str) -> Tensor:
    """Classical flow between neighbours of frames (T, 3, H, W), uint8: (2, T-1, H, W) in pixels."""
    with torch.inference_mode():
        return method_named(method).compute(frames[:-1], frames[1:]).transpose(0, 1).clone()  # (2, T-1, H, W)


def _check_exists(video: str | Path) -> None:
    if not Path(video).is_file():
        raise FileNotFoundError(f'video {video} does not exist')


def _resized(frame: np.ndarray, short_side: int) -> np.ndarray:
    """A frame (H, W, 3) with the shorter side given; the sides are even, as codecs need them."""
    scale = short_side / min(frame.shape[:2])
    width, height = (2 * max(round(side * scale / 2), 1) for side in frame.shape[1::-1])
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
