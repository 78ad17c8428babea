"""Checks of a pipeline: that it reads what the dataset gives, and gives what the network takes."""

from __future__ import annotations

import os.path as osp
from typing import NamedTuple

from mmaction.datasets.transforms import SampleFrames, UniformSample, UniformSampleFrames, UntrimmedSampleFrames
from mmaction.registry import MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.registry import Registry

from repflow_mm.datasets import ComputeFlow
from repflow_mm.datasets.list_makers.mirrored_labels import flip_labels_beside
from repflow_mm.models import FlowDataPreprocessor

# Parts of the names of a pipeline's steps that decode videos, and that read folders of frames or files of flow.
OF_VIDEOS = ('DecordDecode', 'OpenCVDecode', 'PyAVDecode', 'VideoDecode', 'CheckedDecordDecode')
OF_FRAMES = ('RawFrameDecode', 'FlowFileDecode')
SAMPLER_CLASSES = (SampleFrames, UniformSample, UniformSampleFrames, UntrimmedSampleFrames)


class Sampling(NamedTuple):
    """What a pipeline makes of a video.

    Attributes:
        name: The step that chooses frames.
        clip_len: Frames of a clip.
        num_clips: Clips of a video.
        layout: FormatShape's ``input_format``.
    """

    name: str
    clip_len: int
    num_clips: int
    layout: str | None


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


def check_clips(dataset: dict, cfg: Config, mode: str) -> None:
    """Check that frames folded as (N*T, C, H, W) divide into clips, so that no flow crosses two of them.

    Raises:
        ValueError: If their number is no multiple of the backbone's ``num_segments``.
    """
    num_segments, sampling = _expected_input(cfg).get('num_segments'), _sampling(dataset)
    if num_segments is None or sampling is None or sampling.layout != 'NCHW':
        return
    # With one frame a clip, the sampler's clips are the segments that make up one clip of the backbone; and of flow
    # frames, FormatShape makes each clip the channels of one image.
    is_of_segments = sampling.clip_len == 1 or dataset.get('modality') == 'Flow'
    frames = sampling.num_clips if is_of_segments else sampling.clip_len
    if frames % num_segments:
        raise ValueError(
            f'{mode}: {sampling.name} gives clips of {frames} frames, no multiple of backbone.num_segments = '
            f'{num_segments}, so flow would be computed across clips'
        )


def check_channels(dataset: dict, cfg: Config, mode: str) -> None:
    """Check that the backbone takes as many channels as it gets.

    Raises:
        ValueError: If it takes another number.
    """
    expected, sampling = _expected_input(cfg).get('channels'), _sampling(dataset)
    if expected is None or sampling is None or sampling.layout not in ('NCHW', 'NCTHW'):
        return
    preprocessor = dict(cfg.model.get('data_preprocessor') or {})
    computed = next((dict(step) for step in dataset.get('pipeline', []) if step.get('type') == 'ComputeFlow'), None)
    if computed is not None:
        computed.pop('type')
        channels, source = ComputeFlow(**computed).out_channels, 'ComputeFlow'
    elif preprocessor.pop('type', None) == 'FlowDataPreprocessor':
        channels, source = FlowDataPreprocessor(**preprocessor | dict(blending=None)).out_channels, 'the preprocessor'
    elif dataset.get('modality') == 'Flow':
        channels, source = 2 * (sampling.clip_len if sampling.layout == 'NCHW' else 1), 'the flow on disk'
    else:
        channels, source = 3, 'RGB'
    if expected != channels:
        raise ValueError(f'{mode}: {source} gives {channels} channels, but backbone.in_channels is {expected}')


def check_flips(dataset: dict, mode: str) -> None:
    """Check that flips exchange the labels that the command that made the list says they do.

    Raises:
        ValueError: If they do not.
    """
    expected = flip_labels_beside(osp.join(dataset.get('data_root') or '', dataset['ann_file']))
    flips = [step for step in dataset.get('pipeline', []) if str(step.get('type')).endswith('Flip')]
    for flip in flips:
        known = dict(flip.get('flip_label_map') or {})
        if flip.get('flip_ratio', 0.5) > 0 and not expected.items() <= known.items():
            raise ValueError(
                f'{mode}: mirrored, some videos of {dataset["ann_file"]} have other labels; take {flip["type"]} out of '
                f'the pipeline or give it flip_label_map={expected}'
            )


def _expected_input(cfg: Config) -> dict:
    """What the backbone says about its input: ``channels`` and ``num_segments``; empty if it says nothing."""
    backbone = (cfg.get('model') or {}).get('backbone') or {}
    builder = _registered(MODELS, backbone)
    return builder.expected_input(backbone) if hasattr(builder, 'expected_input') else {}


def _sampling(dataset: dict) -> Sampling | None:
    """What the pipeline's sampler and its FormatShape say; None if there is no sampler."""
    steps = [step for step in dataset.get('pipeline', []) if isinstance(step, dict)]
    layout = next((step.get('input_format') for step in steps if step.get('type') == 'FormatShape'), None)
    for step in steps:
        kind = _registered(TRANSFORMS, step)
        if isinstance(kind, type) and issubclass(kind, SAMPLER_CLASSES):
            return Sampling(kind.__name__, *_clips(kind, step), layout)
    return None


def _clips(kind: type, sampler: dict) -> tuple[int, int]:
    """Frames of a clip, and clips of a video."""
    clip_len, num_clips = sampler.get('clip_len', 1), sampler.get('num_clips', 1)
    if isinstance(clip_len, dict):  # MMUniformSampleFrames' has one for each kind of input
        clip_len = clip_len.get('RGB', 1)
    # In training UniformSample gives one clip, whatever num_clips; UntrimmedSampleFrames as many as the video is long.
    is_one_clip = issubclass(kind, UniformSample) and not sampler.get('test_mode', False)
    return clip_len, 1 if is_one_clip or issubclass(kind, UntrimmedSampleFrames) else num_clips


def _registered(registry: Registry, cfg: dict) -> object:
    """What a config's ``type`` stands for; None if it is not registered."""
    kind = cfg.get('type')
    return registry.get(kind) if isinstance(kind, str) else kind
