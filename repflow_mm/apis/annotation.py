"""Predictions shown: in the frames of a video, and over time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from repflow_mm.apis.predictions import RATE, Prediction
from repflow_mm.datasets.video_files import write_video
from repflow_mm.datasets.video_reading import open_video


def annotate_video(predictions: Sequence[Prediction], classes: Sequence[str], path: Path, top: int = 3) -> int:
    """Write a video with the best classes of each moment in its corner, as mp4.

    Args:
        predictions (Sequence[Prediction]): Of one video; where windows overlap, the one whose middle is nearest counts.
        classes (Sequence[str]): The classes' names.
        path (Path): The file.
        top (int): Classes that are shown. Defaults to 3.

    Returns:
        int: Number of frames.
    """
    reader = open_video(predictions[0].video)
    rate = reader.average_fps or RATE
    return write_video(path, _annotated(reader.frames(), rate, predictions, classes, top), fps=max(round(rate), 1))


def _annotated(frames, rate: float, predictions, classes, top: int) -> Iterator[np.ndarray]:
    middles = np.array([(prediction.start + prediction.end) / 2 for prediction in predictions])
    for number, frame in enumerate(frames):
        current = predictions[int(np.abs(middles - (number + 0.5) / rate).argmin())]
        yield draw_classes(frame, [f'{classes[k]} {current.scores[k]:.2f}' for k in current.best(top)])


def draw_classes(frame: np.ndarray, lines: Sequence[str]) -> np.ndarray:
    """A frame (H, W, 3), red first, with lines of text, as OpenCV has it: blue first, H and W even."""
    height, width = (side - side % 2 for side in frame.shape[:2])
    image = np.ascontiguousarray(frame[:height, :width, ::-1])
    size = max(min(height, width) / 480, 0.3)
    line_height = int(26 * size) + 2
    image[: line_height * len(lines) + 6] //= 2  # so that the text stands out
    for row, text in enumerate(lines, start=1):
        place = 4, row * line_height
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.8 * size, (255, 255, 255), 1, cv2.LINE_AA)
    return image


def draw_timeline(predictions: Sequence[Prediction], classes: Sequence[str], path: Path, top: int = 5) -> None:
    """Plot the scores of a video's best classes over time to an image file.

    Args:
        predictions (Sequence[Prediction]): Of windows of one video, in their order.
        classes (Sequence[str]): The classes' names.
        path (Path): The file; its suffix says which format.
        top (int): Classes that are shown, those with the highest scores anywhere. Defaults to 5.
    """
    from matplotlib.figure import Figure

    from repflow_mm.visualization.figures import save_figure

    scores = np.stack([prediction.scores for prediction in predictions])  # (W, classes)
    middles = [(prediction.start + prediction.end) / 2 for prediction in predictions]
    figure = Figure(figsize=(9, 3.2), layout='constrained')
    axis = figure.subplots()
    for label in np.argsort(-scores.max(axis=0), kind='stable')[:top]:
        axis.plot(middles, scores[:, label], marker='o', markersize=3, label=classes[label])
    axis.set(xlabel='seconds', ylabel='score', xlim=(predictions[0].start, predictions[-1].end))
    axis.set_title(Path(predictions[0].video).name, fontsize=10)
    axis.legend(loc='center left', bbox_to_anchor=(1, 0.5), fontsize=8)
    save_figure(figure, path)
