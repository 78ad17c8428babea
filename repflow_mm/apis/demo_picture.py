"""A picture of what the demo's network sees: of each motion a frame, the learned flow and the prediction."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from mmengine.dataset import BaseDataset
from mmengine.model import BaseModel
from torch import Tensor

from repflow_mm.apis.checkpoint import checkpoint_of
from repflow_mm.apis.command_line import one_line_errors
from repflow_mm.apis.recognizer import load_recognizer
from repflow_mm.apis.scope import build_test_set
from repflow_mm.files import check_writable
from repflow_mm.visualization import flow_legend, flow_to_image
from repflow_mm.visualization.figures import save_figure
from repflow_mm.visualization.recognizer_flow import see_sample


class Sight(NamedTuple):
    """What the network made of a clip; ``flow`` is (2, H, W), the mean over channels and frame steps."""

    motion: str
    predicted: str
    frame: np.ndarray
    flow: Tensor


def see_clips(model: BaseModel, dataset: BaseDataset) -> list[Sight]:
    """The first clip of each class through the network.

    Args:
        model (BaseModel): A recognizer with one flow layer or several, of which the first is shown.
        dataset (BaseDataset): Clips whose pipeline gives one view; its videos' names begin with their class.

    Returns:
        list[Sight]: One for each class, in the order of the labels.
    """
    first = {}
    for index in range(len(dataset)):
        first.setdefault(dataset.get_data_info(index)['label'], index)
    names = {
        label: Path(dataset.get_data_info(index)['filename']).stem.rpartition('_')[0] for label, index in first.items()
    }
    return [_see(model, dataset[first[label]], names) for label in sorted(first)]


def _see(model: BaseModel, sample: dict, names: dict[int, str]) -> Sight:
    seen = see_sample(model, sample)
    flow = next(iter(seen.flows.values())).mean(dim=(1, 2))  # (2, C, T-1, H, W) -> (2, H, W)
    frame = seen.frames[len(seen.frames) // 2].permute(1, 2, 0).numpy()  # (3, H, W) -> (H, W, 3)
    motion, predicted = int(sample['data_samples'].gt_label), int(seen.scores.argmax())
    return Sight(names[motion], names[predicted], frame, flow)


def draw_picture(sights: Sequence[Sight], path: str | Path) -> None:
    """Draw the clips side by side, their flow below in the colours of the legend, to an image file."""
    # One scale for all, so that colours can be compared: most pixels' flow is shorter.
    scale = float(torch.stack([sight.flow.square().sum(0).sqrt() for sight in sights]).quantile(0.95))
    figure = Figure(figsize=(1.3 * len(sights) + 1.3, 3.1), layout='constrained')
    axes = figure.subplots(2, len(sights) + 1)
    for column, sight in zip(axes.T, sights):
        column[0].imshow(sight.frame)
        column[0].set_title(sight.motion.replace('_', ' '), fontsize=10)
        column[1].imshow(flow_to_image(sight.flow, scale).permute(1, 2, 0).numpy(), interpolation='nearest')
        correct = sight.predicted == sight.motion
        column[1].set_xlabel(f'{sight.predicted.replace("_", " ")} {"✓" if correct else "✗"}', fontsize=9)
    axes[0, 0].set_ylabel('clip', fontsize=10)
    axes[1, 0].set_ylabel('learned flow', fontsize=10)
    axes[1, -1].imshow(flow_legend(128).permute(1, 2, 0).numpy())
    axes[1, -1].set_xlabel('direction', fontsize=9)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    axes[0, -1].axis('off')
    save_figure(figure, path, dpi=110)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw what the command line says."""
    parser = argparse.ArgumentParser(description="Draw the learned flow of a network on the demo's clips.")
    parser.add_argument('config', help="a config with flow, e.g. the demo's")
    parser.add_argument('checkpoint', help='its trained weights, or the folder of the training')
    parser.add_argument('--out', default='work_dirs/demo/flow.png', help='image file (default: %(default)s)')
    args = parser.parse_args(argv)
    with one_line_errors():
        check_writable(Path(args.out), '--out')
        recognizer = load_recognizer(args.config, checkpoint_of(args.checkpoint), 'cpu')
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    draw_picture(see_clips(recognizer.model, build_test_set(recognizer.cfg)), args.out)
    sys.stdout.write(f'learned flow:    {args.out}\n')
