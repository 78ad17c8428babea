"""Checks of a config's network that would end a training with an assertion, or in the middle."""

from __future__ import annotations

from mmaction.models import ResNet
from mmaction.registry import MODELS
from mmengine.config import Config

BASIC_DEPTHS = (18, 34)
# Parts of the names of a pipeline's steps that decode videos, and that read folders of frames or files of flow.
OF_VIDEOS = ('DecordDecode', 'OpenCVDecode', 'PyAVDecode', 'VideoDecode', 'CheckedDecordDecode')
OF_FRAMES = ('RawFrameDecode', 'FlowFileDecode')


def check_checkpointing(cfg: Config) -> None:
    """Check that activations are checkpointed where that works.

    Raises:
        ValueError: If ``with_cp`` is set for a 2D ResNet of basic blocks, which has none; or in a distributed run with
            ``find_unused_parameters``, where a checkpointed block marks its parameters ready twice.
    """
    backbone = (cfg.get('model') or {}).get('backbone') or {}
    backbone = backbone.get('backbone', backbone)  # inside of a WithFlow
    if not backbone.get('with_cp', False):
        return
    kind = MODELS.get(backbone['type']) if isinstance(backbone.get('type'), str) else backbone.get('type')
    depth = backbone.get('depth')
    if isinstance(kind, type) and issubclass(kind, ResNet) and depth in BASIC_DEPTHS:
        raise ValueError(f'backbone.with_cp=True needs bottleneck blocks, that is depth 50, 101 or 152, got {depth}')
    if cfg.get('launcher', 'none') != 'none' and cfg.get('find_unused_parameters', False):
        raise ValueError(
            'backbone.with_cp=True and find_unused_parameters=True do not go together in a distributed run: set one of '
            'them to False'
        )


def check_decoding(dataset: dict, mode: str) -> None:
    """Check that a pipeline decodes what its dataset gives: videos, or folders of frames.

    Raises:
        ValueError: If a dataset of frames has a pipeline for videos, as an RGB config does, or the reverse.
    """
    kinds = [str(step.get('type')) for step in dataset.get('pipeline') or [] if isinstance(step, dict)]
    decoders = [kind for kind in kinds if any(part in kind for part in OF_VIDEOS)]
    of_frames = [kind for kind in kinds if any(part in kind for part in OF_FRAMES)]
    kind = str(dataset.get('type'))
    if 'Rawframe' in kind and decoders and not of_frames:
        raise ValueError(
            f'{mode}: {kind} gives folders of frames, which {decoders[0]} does not read: take RawFrameDecode, or a '
            'dataset of videos'
        )
    if 'Video' in kind and of_frames:
        raise ValueError(
            f'{mode}: {kind} gives videos, which {of_frames[0]} does not read: flow is read from the folders that '
            'extract_flow writes, listed by a dataset of frames'
        )
