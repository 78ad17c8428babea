"""What the app shows, without the app: a clip, a place, the solver's terms, a channel and a frame give a picture."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from torch import Tensor

from repflow_mm.apis.flow_viewers import SolverSettings, Viewer, classical_flow
from repflow_mm.demo_app.limits import check_video
from repflow_mm.models.layers import RepresentationFlow
from repflow_mm.visualization.clip_flow import MEAN, ClipFlow, FlowTrack, layer_tracks
from repflow_mm.visualization.recognizer_flow import Seen
from repflow_mm.visualization.sheets import moment_picture

MOST_ACTIVE = 'most active'
# Results of so many settings are kept, for frames and channels to be turned over without solving again.
KEPT = 8
SHORT_SIDE = 256


@dataclass(frozen=True)
class Shot:
    """What the app shows at a time.

    Attributes:
        picture: (H, W, 3), uint8, RGB.
        scores: Names and probabilities of the likeliest classes.
        num_steps: Steps of the clip, for the choice of a frame.
    """

    picture: np.ndarray
    scores: dict[str, float]
    num_steps: int


class Explorer:
    """Looks at videos with one flow layer out of several.

    Args:
        viewers (Sequence[Viewer]): What has the layers; no two of the same name.
        method (str): The classical flow beside it. Defaults to ``'tvl1'``.

    Attributes:
        places: The names of the layers.
    """

    def __init__(self, viewers: Sequence[Viewer], method: str = 'tvl1') -> None:
        self.method = method
        self._viewers = {place: viewer for viewer in viewers for place in viewer.layers}
        self.places = list(self._viewers)
        # The layers are changed while they look, so that one may look at a time.
        self._lock = threading.Lock()
        self._look = lru_cache(KEPT)(self._look_anew)
        self._classical = lru_cache(KEPT)(self._classical_anew)

    def layer(self, place: str) -> RepresentationFlow:
        """The layer of a place; raises ValueError if there is none."""
        if place not in self._viewers:
            raise ValueError(f'place must be one of {self.places}, got {place!r}')
        return self._viewers[place].layers[place]

    def settings(self, place: str) -> SolverSettings:
        """The layer's own terms."""
        layer = self.layer(place)
        return SolverSettings(layer.num_iters, layer.theta.item(), layer.lam.item(), layer.tau.item())

    def channels(self, place: str) -> list[str]:
        """What can be chosen to be shown of a place: the mean, the most active channel, and each channel."""
        names = self._viewers[place].channel_names
        return [MEAN, MOST_ACTIVE, *(names or (f'channel {k}' for k in range(self.layer(place).channels)))]

    def shoot(self, video: str, place: str, channel: str, frame: int, settings: SolverSettings) -> Shot:
        """The picture of a frame, the first one being 0; a number beyond the last means that.

        Raises:
            OSError, ValueError: If the video cannot be used, or a name or a term is not allowed.
        """
        layer = self.layer(place)
        if channel not in self.channels(place):
            raise ValueError(f'channel must be one of {self.channels(place)}, got {channel!r}')
        check_video(video)
        key = (video, Path(video).stat().st_mtime_ns, place)
        seen = self._look(*key, settings)
        classical = FlowTrack.of('classical', self.method, self._classical(*key))
        track = self._track(place, channel, seen, layer.channels)
        viewer = self._viewers[place]
        clip = ClipFlow(seen.frames, [track], classical, seen.top(5, viewer.class_names))
        picture = moment_picture(clip, min(frame, clip.num_steps - 1), SHORT_SIDE)
        return Shot(picture, dict(clip.scores), clip.num_steps)

    def _track(self, place: str, channel: str, seen: Seen, count: int) -> FlowTrack:
        names = self.channels(place)[2:]
        chosen = [names.index(channel)] if channel in names else None
        tracks = layer_tracks(place, seen.flows[place], chosen, most=1, names=names[:count])
        return tracks[0] if channel == MEAN else tracks[1]

    def _look_anew(self, video: str, changed: int, place: str, settings: SolverSettings) -> Seen:
        with self._lock, settings.in_place(self.layer(place)):
            return self._viewers[place].see(video)

    def _classical_anew(self, video: str, changed: int, place: str) -> Tensor:
        return classical_flow(self._look(video, changed, place, self.settings(place)).frames, self.method)
