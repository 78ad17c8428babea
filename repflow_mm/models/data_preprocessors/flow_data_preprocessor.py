"""Classical flow of the batch in place of its frames: a flow stream with nothing on disk."""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence

import torch
from mmaction.models import ActionDataPreprocessor
from mmaction.registry import MODELS
from torch import Tensor

from repflow_mm.classical_flow import FlowStream

logger = logging.getLogger(__name__)


@MODELS.register_module()
class FlowDataPreprocessor(ActionDataPreprocessor):
    """Flow of neighbouring frames by a classical method, computed when a batch needs it.

    Takes what a pipeline for RGB packs with ``FormatShape('NCTHW')``, and gives what a flow stream sees, as
    :class:`repflow_mm.classical_flow.FlowStream` says. Flow is computed of the frames as they come, so crops, resizing
    and flips of the frames are right for it by construction, and ``frame_interval`` is the step between its frames.
    Frames must be in the order red, green, blue, as MMAction2's decoders give them.

    Flow is computed on the CPU, where the methods have their solvers, while another device waits for it.
    :class:`repflow_mm.datasets.ComputeFlow` does the same in the data workers, which is the choice for training on a
    GPU.

    Args:
        blending (dict, optional): Batch blending of ``ActionDataPreprocessor``, applied to the flow.
            Defaults to None.
        **stream: Arguments of :class:`repflow_mm.classical_flow.FlowStream`: ``bound``, ``num_flows``,
            ``stack_length``, ``method``, ``parameters`` and ``max_pairs``.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range.

    Example:
        >>> preprocessor = FlowDataPreprocessor(stack_length=5)
        >>> clips = [torch.randint(0, 256, (1, 3, 16, 32, 32), dtype=torch.uint8)]
        >>> preprocessor(dict(inputs=clips, data_samples=None))['inputs'].shape
        torch.Size([1, 1, 10, 3, 32, 32])
    """

    def __init__(self, blending: dict | None = None, **stream) -> None:
        super().__init__(blending=blending, format_shape='NCTHW')
        self.stream = FlowStream(**stream)

    @property
    def out_channels(self) -> int:
        """Channels that a backbone behind it has to take."""
        return self.stream.out_channels

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
            self.stream.check(clips)
            recommend_workers(clips.device.type)
        if len({clips.shape for clips in inputs}) == 1:
            flows = self.stream(torch.cat(tuple(inputs)))  # (N*M, 3, T, H, W) -> (N*M, C, T', H, W)
            flows = list(flows.split(len(inputs[0])))  # N of (M, C, T', H, W)
        else:
            flows = [self.stream(clips) for clips in inputs]
        return super().preprocess(flows, data_samples, training)


@functools.cache
def recommend_workers(device: str) -> None:
    """Say once for each type of device, but the CPU, what computes flow without making it wait."""
    if device != 'cpu':
        logger.warning(
            'FlowDataPreprocessor: classical flow has no %s solver: it is computed on the CPU, and %s waits for it; '
            'data workers compute it ahead with the transform ComputeFlow before FormatShape in the pipeline and '
            'ActionDataPreprocessor in its place',
            device,
            device,
        )
