"""Predictions for videos: of a whole one as in a test, of windows that slide over it, and of a stream of frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from repflow_mm.apis.recognizer import Recognizer

# Those of MMAction2's samplers that can be shown a part of a video, so that windows are possible.
PART_SAMPLERS = ('SampleFrames', 'DenseSampleFrames', 'UniformSample')
# Frames per second of a video that does not tell it.
RATE = 25.0


@dataclass(frozen=True)
class Prediction:
    """What a recognizer says of a part of a video.

    Args:
        video (str): Its file.
        start (float): First second of the part.
        end (float): Where the part ends, in seconds.
        scores (np.ndarray): (classes,), as the head gives them.
    """

    video: str
    start: float
    end: float
    scores: np.ndarray

    def best(self, k: int) -> list[int]:
        """Labels of the k highest scores, the highest first."""
        return np.argsort(-self.scores, kind='stable')[:k].tolist()


@dataclass(frozen=True)
class Windows:
    """Windows of ``length`` frames, each ``stride`` frames after the one before; None: as long as a clip, half of it.

    Raises:
        ValueError: If a number is below 1.
    """

    length: int | None = None
    stride: int | None = None

    def __post_init__(self) -> None:
        for name in ('length', 'stride'):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f'{name} of a window must be >= 1 frame, got {value}')

    def places(self, total: int, sampler: dict) -> list[tuple[int, int]]:
        """First frame and length of each window of a video of ``total`` frames; a short video has one, all of it."""
        length = min(self.length or clip_span(sampler), total)
        stride = self.stride or max(length // 2, 1)
        starts = list(range(0, total - length + 1, stride))
        if starts[-1] + length < total:
            starts.append(total - length)  # so that the end is seen too
        return [(start, length) for start in starts]


def clip_span(sampler: dict) -> int:
    """Frames of a video that one clip of a sampler reaches over.

    Raises:
        ValueError: If it takes single frames from all over the video, so that nothing says how long a window is.
    """
    if sampler.get('clip_len', 1) == 1:
        raise ValueError(f"{sampler['type']} takes frames from the whole video: give the windows' length with --window")
    return sampler['clip_len'] * sampler.get('frame_interval', 1)


def sampler_of(steps: Sequence[dict]) -> int:
    """Index of the step of a pipeline that samples frames.

    Raises:
        ValueError: If there is none.
    """
    for index, step in enumerate(steps):
        if step['type'] in PART_SAMPLERS:
            return index
    raise ValueError(f'the test pipeline must have one of {PART_SAMPLERS}, got {[step["type"] for step in steps]}')


def predict_videos(recognizer: Recognizer, videos: Iterable[Path], batch_size: int = 1) -> Iterator[Prediction]:
    """Scores of whole videos by the test pipeline, with all of its views, as a test gives them.

    Args:
        recognizer (Recognizer): The recognizer.
        videos (Iterable[Path]): Files.
        batch_size (int): Videos that go through the network together, if their views have one shape. Defaults to 1.
    """
    seconds = []

    def note_seconds(results: dict) -> dict:
        seconds.append(results['total_frames'] / (results.get('avg_fps') or RATE))
        return results

    place = sampler_of(recognizer.dataset.pipeline)
    pipeline = recognizer.pipeline(lambda steps: [*steps[:place], note_seconds, *steps[place:]])

    def samples() -> Iterator[tuple]:
        for video in videos:
            sample = pipeline(recognizer.sample(filename=str(video)))
            yield (str(video), seconds[-1]), sample

    for batch in _batches(samples(), batch_size):
        for ((video, end), _), scores in zip(batch, recognizer.scores([sample for _, sample in batch])):
            yield Prediction(video, 0.0, end, scores.numpy())


def window_samples(recognizer: Recognizer, video: Path, windows: Windows) -> Iterator[tuple[float, float, dict]]:
    """For each window of a video its first second, its end, and what the pipeline makes of one clip in it."""
    steps = [dict(step) for step in recognizer.dataset.pipeline]
    place = sampler_of(steps)
    opened = recognizer.pipeline(lambda steps: steps[:place])(recognizer.sample(filename=str(video)))
    rate = opened.get('avg_fps') or RATE
    total = opened['total_frames']
    for start, length in windows.places(total, steps[place]):
        part = _Part(start, length)
        pipeline = recognizer.pipeline(lambda steps, part=part: _of_one_clip(steps, place, part))
        yield start / rate, (start + length) / rate, pipeline(recognizer.sample(filename=str(video)))


class _Part:
    """Step of a pipeline: of the video that is open, the sampler sees a part."""

    def __init__(self, start: int, length: int) -> None:
        self.start, self.length = start, length

    def __call__(self, results: dict) -> dict:
        first = results['start_index'] + self.start
        return {**results, 'start_index': first, 'total_frames': self.length}


def _of_one_clip(steps: list[dict], place: int, part: _Part) -> list:
    """The steps with one clip of a part of the video, where the sampler takes several of all of it."""
    sampler = dict(steps[place])
    if sampler.get('clip_len', 1) > 1:
        sampler['num_clips'] = 1
    return [*steps[:place], part, sampler, *steps[place + 1 :]]


def predict_windows(recognizer: Recognizer, video: Path, windows: Windows, batch_size: int = 1) -> Iterator[Prediction]:
    """Scores of windows that slide over a video, in their order."""
    for batch in _batches(((window, window[2]) for window in window_samples(recognizer, video, windows)), batch_size):
        scores = recognizer.scores([sample for _, sample in batch])
        for ((start, end, _), _), row in zip(batch, scores):
            yield Prediction(str(video), start, end, row.numpy())


def predict_stream(
    recognizer: Recognizer, frames: Iterable[np.ndarray], rate: float, windows: Windows, name: str = 'camera'
) -> Iterator[Prediction]:
    """Scores of the last frames of a stream, each time that ``stride`` more have come.

    Args:
        recognizer (Recognizer): The recognizer.
        frames (Iterable[np.ndarray]): Frames (H, W, 3), uint8, red, green and blue.
        rate (float): Frames per second.
        windows (Windows): Length of what is looked at, and stride.
        name (str): What the predictions call the stream. Defaults to ``'camera'``.
    """
    steps = [dict(step) for step in recognizer.dataset.pipeline]
    place = sampler_of(steps)
    length = windows.length or clip_span(steps[place])
    stride, kept, due = windows.stride or max(length // 2, 1), deque(maxlen=length), length
    pipeline = recognizer.pipeline(lambda steps: _of_arrays(_of_one_clip(steps, place, _Part(0, length))))
    for count, frame in enumerate(frames, start=1):
        kept.append(frame)
        if count < due:
            continue
        due = count + stride
        content = dict(array=np.stack(kept), total_frames=length)
        scores = recognizer.scores([pipeline(recognizer.sample(**content))])[0]
        yield Prediction(name, (count - length) / rate, count / rate, scores.numpy())


def _of_arrays(steps: list) -> list:
    """The steps for frames that are there already: nothing is opened, and decoding takes them."""
    kinds = [step['type'] if isinstance(step, dict) else '' for step in steps]
    opens = [kind.endswith('Init') for kind in kinds]
    decodes = ['Decode' in kind for kind in kinds]
    steps = [dict(type='ArrayDecode') if is_decoding else step for step, is_decoding in zip(steps, decodes)]
    return [step for step, is_opening in zip(steps, opens) if not is_opening]


def video_features(
    recognizer: Recognizer, video: Path, windows: Windows, batch_size: int = 1, maps: bool = False
) -> dict[str, np.ndarray]:
    """The backbone's features of windows that slide over a video, for localization and retrieval.

    Returns:
        dict[str, np.ndarray]: ``features``, (W, C), the mean over space and time, or with ``maps`` (W, C, T, H, W), of
        a 2D recognizer (W, T, C, H, W), the mean over the crops of a window where there are several; ``starts`` and
        ``ends``, (W,), in seconds.
    """
    rows, starts, ends = [], [], []
    for batch in _batches(((window, window[2]) for window in window_samples(recognizer, video, windows)), batch_size):
        features = recognizer.features([sample for _, sample in batch])
        for clip in features.chunk(len(batch)):
            rows.append(_of_window(recognizer, clip, maps))
        starts += [start for ((start, _, _), _) in batch]
        ends += [end for ((_, end, _), _) in batch]
    return dict(features=torch.stack(rows).numpy(), starts=np.array(starts), ends=np.array(ends))


def _of_window(recognizer: Recognizer, features: Tensor, maps: bool) -> Tensor:
    """Features of one window's crops as one: (C,), or the maps."""
    if type(recognizer.model).__name__ == 'Recognizer2D' and maps:
        length = getattr(recognizer.model.backbone, 'num_segments', None) or len(features)
        return features.unflatten(0, (-1, length)).mean(dim=0)  # (M*T, C, H, W) -> (T, C, H, W)
    mean = features.mean(dim=0)  # (M, C, ...) -> (C, ...)
    return mean if maps or mean.ndim == 1 else mean.flatten(1).mean(dim=1)


def _batches(samples: Iterable[tuple], size: int) -> Iterator[list[tuple]]:
    """Pairs of anything and a sample, those that follow each other in one shape together, at most ``size``."""
    batch = []
    for pair in samples:
        if batch and (len(batch) == size or pair[1]['inputs'].shape != batch[0][1]['inputs'].shape):
            yield batch
            batch = []
        batch.append(pair)
    if batch:
        yield batch
