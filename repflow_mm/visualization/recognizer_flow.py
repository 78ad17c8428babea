"""What a recognizer sees in what a pipeline made of a video."""

from __future__ import annotations

from typing import NamedTuple

import torch
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseModel
from torch import Tensor

from repflow_mm.visualization.layer_flow import recorded_flow, short_name


class Seen(NamedTuple):
    """What was seen in a clip.

    Attributes:
        frames: (T, 3, H, W), uint8, RGB.
        flows: (2, C, L, h, w) by the layer's short name, on the CPU.
        scores: (num_classes,), on the CPU, or None without a prediction.
    """

    frames: Tensor
    flows: dict[str, Tensor]
    scores: Tensor | None = None

    def top(self, count: int, names: list[str] | tuple[str, ...] = ()) -> list[tuple[str, float]]:
        """Names and scores of the likeliest classes, the likeliest first; classes without a name have a number."""
        if self.scores is None:
            return []
        labels = self.scores.argsort(descending=True)[:count].tolist()
        return [(class_name(label, names), self.scores[label].item()) for label in labels]


def class_name(label: int, names: list[str] | tuple[str, ...] = ()) -> str:
    """The name of a class, or ``'class 3'`` where it has none."""
    return names[label] if label < len(names) else f'class {label}'


def see_sample(model: BaseModel, sample: dict) -> Seen:
    """Look at a sample with the flow layers of a recognizer in evaluation mode; of several views at the first.

    Args:
        model (BaseModel): The recognizer.
        sample (dict): ``inputs``, (M, C, T, H, W) or (T, C, H, W), uint8, and ``data_samples``, of one video.

    Raises:
        ValueError: If the recognizer has no flow layer.
    """
    with torch.no_grad(), recorded_flow(model) as flows:
        result = model.test_step(pseudo_collate([sample]))[0]
    scores = result.pred_score.detach().float().cpu()
    inputs = sample['inputs']
    frames = inputs[0].transpose(0, 1) if inputs.ndim == 5 else inputs  # (C, T, H, W) -> (T, C, H, W)
    return Seen(
        frames.to(torch.uint8).contiguous(),
        {short_name(name): flow[0].cpu() for name, flow in flows.items()},
        scores.flatten(0, -2).mean(dim=0) if scores.ndim > 1 else scores,
    )
