"""A recognizer as one function from clips to scores, which exporters can take."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from repflow_mm.models.layers import RepresentationFlow


class ScoringNetwork(nn.Module):
    """Backbone, neck and head of a recognizer: clips in, the scores of each out.

    Args:
        model (nn.Module): MMAction2's Recognizer2D or Recognizer3D; it is used, not copied.
        with_preprocessing (bool): Whether clips are pixels in [0, 255], which the network normalises, or what the data
            preprocessor makes of them. Defaults to False.

    Shape:
        - Input: (N, C, T, H, W) of a Recognizer3D, (N, T, C, H, W) of a Recognizer2D; float, or uint8 with
          preprocessing.
        - Output: (N, classes), probabilities if the head averages views as such, else scores before softmax.

    Raises:
        ValueError: If the recognizer is of another kind, or its preprocessing computes flow.
    """

    def __init__(self, model: nn.Module, with_preprocessing: bool = False) -> None:
        super().__init__()
        kind = type(model).__name__
        if kind not in ('Recognizer2D', 'Recognizer3D'):
            raise ValueError(f'model must be a Recognizer2D or Recognizer3D to be exported, got {kind}')
        preprocessor = type(model.data_preprocessor).__name__
        if preprocessor != 'ActionDataPreprocessor':
            raise ValueError(f'a network whose data preprocessor is {preprocessor} cannot be exported')
        self.backbone, self.cls_head = model.backbone, model.cls_head
        self.neck = model.neck if getattr(model, 'with_neck', False) else None
        self.is_2d, self.gives_probabilities = kind == 'Recognizer2D', model.cls_head.average_clips == 'prob'
        self.with_preprocessing = with_preprocessing
        # Buffers in the shape of their channels in a batch: (1, C, 1, 1, 1), of a Recognizer2D (1, 1, C, 1, 1).
        place = (1, 1, -1, 1, 1) if self.is_2d else (1, -1, 1, 1, 1)
        for name in ('mean', 'std'):
            self.register_buffer(name, getattr(model.data_preprocessor, name).detach().reshape(place))

    def normalize(self, clips: Tensor) -> Tensor:
        """What the data preprocessor makes of pixels in [0, 255]."""
        return (clips.to(self.mean.dtype) - self.mean) / self.std

    def forward(self, clips: Tensor) -> Tensor:
        """Scores of clips."""
        clips = self.normalize(clips) if self.with_preprocessing else clips
        if self.is_2d:
            length = clips.shape[1]
            features = self.backbone(clips.flatten(0, 1))  # (N, T, C, H, W) -> (N*T, C, H, W)
            scores = self.cls_head(self._through_neck(features), num_segs=length)
        else:
            scores = self.cls_head(self._through_neck(self.backbone(clips)))
        return torch.softmax(scores, dim=-1) if self.gives_probabilities else scores

    def _through_neck(self, features: Tensor) -> Tensor:
        return features if self.neck is None else self.neck(features)[0]


def choose_solver(network: nn.Module, unrolled: bool) -> None:
    """Let a network's flow layers run the fused operator, or the reference, whose iterations exporters unroll."""
    for module in network.modules():
        if isinstance(module, RepresentationFlow):
            module.backend = 'reference' if unrolled else 'auto'
