"""Checks of a config before anything long begins."""

from __future__ import annotations

import difflib
import os
import os.path as osp
from collections.abc import Iterator, Sequence

from mmaction.registry import MODELS
from mmengine.config import Config
from torch import nn

from repflow_mm.apis.preflight_evaluation import check_evaluators, check_save_best
from repflow_mm.apis.preflight_network import check_checkpointing, check_decoding
from repflow_mm.datasets import ComputeFlow
from repflow_mm.datasets.list_makers.mirrored_labels import flip_labels_beside
from repflow_mm.datasets.lists.list_files import read_frame_list, read_video_list
from repflow_mm.models import FlowDataPreprocessor

# What the names of a flow block's parameters have in them.
FLOW_KEYS = ('flow_blocks', 'steps.flow', 'steps.conv')


def check_config(cfg: Config, modes: tuple[str, ...]) -> None:
    """Check the data, the number of classes, the clip layout and the input channels of a config.

    Args:
        cfg (Config): A runner's config; ``data_help``, if set, says how to get the data.
        modes (tuple[str]): Which of ``'train'``, ``'val'`` and ``'test'`` are going to run.

    Raises:
        FileNotFoundError: If an annotation list or a data folder is missing.
        ValueError: If numbers of classes or of input channels disagree, a label is beyond them, flow would be computed
            across clips, the pipeline does not read what the dataset gives, a flip would leave labels of left and right
            as they are, a metric does not suit the labels, the best checkpoint cannot be told, activations are
            checkpointed where that does not work, or the config imports this package without registering it.
    """
    _check_imports(cfg)
    num_classes = _head_classes(cfg)
    check_checkpointing(cfg)
    if 'train' in modes and 'val' in modes:
        check_save_best(cfg)
    for mode in modes:
        datasets = list(datasets_of((cfg.get(f'{mode}_dataloader') or {}).get('dataset')))
        check_evaluators(cfg, mode, datasets)
        for dataset in datasets:
            check_decoding(dataset, mode)
            _check_data(dataset, cfg.get('data_help', ''))
            _check_classes(dataset, num_classes, mode)
            _check_clips(dataset, cfg, mode)
            _check_channels(dataset, cfg, mode)
            _check_flips(dataset, mode)


def _check_imports(cfg: Config) -> None:
    imports = (cfg.get('custom_imports') or {}).get('imports') or []
    imports = [imports] if isinstance(imports, str) else imports
    if 'repflow_mm' in imports and 'repflow_mm.registration' not in imports:
        raise ValueError(
            "custom_imports names 'repflow_mm', which registers nothing by itself; name 'repflow_mm.registration'"
        )


def check_custom_keys(cfg: Config, model: nn.Module) -> None:
    """Check that every key of ``optim_wrapper.paramwise_cfg.custom_keys`` is in the name of a parameter.

    MMEngine passes over a key that is in none, and the setting it stands for is lost. A key of flow blocks' parameters
    is let through where the network has no flow block: networks with and without share a schedule.

    Raises:
        ValueError: If a key is in no parameter's name; the message has the nearest ones.
    """
    keys = ((cfg.get('optim_wrapper') or {}).get('paramwise_cfg') or {}).get('custom_keys') or {}
    names = [name for name, _ in model.named_parameters()]
    has_flow = any('flow_blocks' in name for name in names)
    for key in keys:
        is_for_flow = any(part in key for part in FLOW_KEYS)
        if not any(key in name for name in names) and (has_flow or not is_for_flow):
            raise ValueError(f'custom_keys has {key!r}, which no parameter has in its name{_nearest(key, names)}')


def _nearest(key: str, names: Sequence[str]) -> str:
    """The parts of names that are most like a key, as the end of an error's message."""
    count = key.count('.') + 1
    parts = [name.split('.') for name in names]
    pieces = {'.'.join(name[start : start + count]) for name in parts for start in range(len(name) - count + 1)}
    near = difflib.get_close_matches(key, sorted(pieces), n=3, cutoff=0.5)
    return f'; the nearest are {", ".join(map(repr, near))}' if near else ''


def _head_classes(cfg: Config) -> int | None:
    head = (cfg.get('model') or {}).get('cls_head') or {}
    num_classes = head.get('num_classes')
    if num_classes is not None and (not isinstance(num_classes, int) or num_classes < 1):
        raise ValueError(f'model.cls_head.num_classes must be an integer >= 1, got {num_classes!r}')
    return num_classes


def datasets_of(dataset: dict | None) -> Iterator[dict]:
    """The dataset, or those inside of wrappers such as RepeatDataset and ConcatDataset."""
    if dataset is None:
        return
    if 'ann_file' in dataset:
        yield dataset
    inner = dataset.get('datasets', dataset.get('dataset', []))
    for part in inner if isinstance(inner, (list, tuple)) else [inner]:
        yield from datasets_of(part)


def _check_data(dataset: dict, data_help: str) -> None:
    root = dataset.get('data_root') or ''
    paths = [('annotation list', dataset['ann_file'], osp.isfile)]
    prefixes = dataset.get('data_prefix') or {}
    paths += [('data folder', prefix, osp.isdir) for prefix in prefixes.values() if prefix]
    for kind, path, exists in paths:
        path = osp.join(root, path)
        if not exists(path) and '://' not in path:
            where = '' if osp.isabs(path) else f' (from {os.getcwd()})'
            raise FileNotFoundError(f'{kind} {path} not found{where}. {data_help}'.rstrip())


def _check_classes(dataset: dict, num_classes: int | None, mode: str) -> None:
    labelled = dataset.get('num_classes')
    if None not in (labelled, num_classes) and labelled != num_classes:
        raise ValueError(
            f'model.cls_head.num_classes is {num_classes}, but {mode}_dataloader.dataset.num_classes is {labelled}'
        )
    if labelled is None and num_classes is not None:
        _check_labels(dataset, num_classes)


def _check_labels(dataset: dict, num_classes: int) -> None:
    """Check the labels of a list whose dataset does not check them for want of a number of classes."""
    several = dataset.get('multi_class', False)
    file = osp.join(dataset.get('data_root') or '', dataset['ann_file'])
    if '://' in file:
        return
    if dataset.get('type') == 'CheckedVideoDataset':
        delimiter = dataset.get('delimiter', ' ')
        delimiter = None if delimiter == ' ' else delimiter
        read_video_list(file, delimiter, num_classes, several, dataset.get('with_offset', False))
    elif dataset.get('type') == 'CheckedRawframeDataset':
        read_frame_list(file, dataset.get('with_offset', False), num_classes, several)


def _check_clips(dataset: dict, cfg: Config, mode: str) -> None:
    """Check that frames folded as (N*T, C, H, W) divide into clips, so that no flow crosses two of them."""
    num_segments = _expected_input(cfg).get('num_segments')
    sampler, layout = _sampler_and_layout(dataset)
    if num_segments is None or sampler is None or layout != 'NCHW':
        return
    clip_len, num_clips = sampler['clip_len'], sampler.get('num_clips', 1)
    # With one frame a clip, SampleFrames' clips are the segments that make up one clip of the backbone; and of flow
    # frames, FormatShape makes each clip the channels of one image.
    frames = num_clips if clip_len == 1 or dataset.get('modality') == 'Flow' else clip_len
    if frames % num_segments:
        raise ValueError(
            f'{mode}: SampleFrames gives clips of {frames} frames, no multiple of backbone.num_segments = '
            f'{num_segments}, so flow would be computed across clips'
        )


def _check_channels(dataset: dict, cfg: Config, mode: str) -> None:
    """Check that the backbone takes as many channels as it gets."""
    expected = _expected_input(cfg).get('channels')
    sampler, layout = _sampler_and_layout(dataset)
    if expected is None or sampler is None or layout not in ('NCHW', 'NCTHW'):
        return
    preprocessor = dict(cfg.model.get('data_preprocessor') or {})
    computed = next((dict(step) for step in dataset.get('pipeline', []) if step.get('type') == 'ComputeFlow'), None)
    if computed is not None:
        computed.pop('type')
        channels, source = ComputeFlow(**computed).out_channels, 'ComputeFlow'
    elif preprocessor.pop('type', None) == 'FlowDataPreprocessor':
        channels, source = FlowDataPreprocessor(**preprocessor | dict(blending=None)).out_channels, 'the preprocessor'
    elif dataset.get('modality') == 'Flow':
        channels, source = 2 * (sampler['clip_len'] if layout == 'NCHW' else 1), 'the flow on disk'
    else:
        channels, source = 3, 'RGB'
    if expected != channels:
        raise ValueError(f'{mode}: {source} gives {channels} channels, but backbone.in_channels is {expected}')


def _check_flips(dataset: dict, mode: str) -> None:
    """Check that flips exchange the labels that the command that made the list says they do."""
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
    kind = backbone.get('type')
    builder = MODELS.get(kind) if isinstance(kind, str) else kind
    return builder.expected_input(backbone) if hasattr(builder, 'expected_input') else {}


def _sampler_and_layout(dataset: dict) -> tuple[dict | None, str | None]:
    """The pipeline's SampleFrames and its FormatShape's ``input_format``, each None if there is none."""
    pipeline = {step['type']: step for step in dataset.get('pipeline', []) if isinstance(step, dict)}
    return pipeline.get('SampleFrames'), pipeline.get('FormatShape', {}).get('input_format')
