"""Checks of a config before anything long begins."""

from __future__ import annotations

import difflib
import logging
import os
import os.path as osp
from collections.abc import Iterator, Sequence

from mmengine.config import Config
from mmengine.logging import print_log
from torch import nn

from repflow_mm.apis.preflight_evaluation import check_evaluators, check_save_best
from repflow_mm.apis.preflight_pipeline import check_channels, check_clips, check_decoding, check_flips
from repflow_mm.datasets.lists.list_files import read_frame_list, read_video_list

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
            as they are, a metric does not suit the labels, the best checkpoint cannot be told, or the config imports
            this package without registering it.
    """
    _check_imports(cfg)
    num_classes = _head_classes(cfg)
    if 'train' in modes and 'val' in modes:
        check_save_best(cfg)
    if 'train' in modes:
        _check_schedule(cfg)
    for mode in modes:
        datasets = list(datasets_of((cfg.get(f'{mode}_dataloader') or {}).get('dataset')))
        check_evaluators(cfg, mode, datasets)
        for dataset in datasets:
            check_decoding(dataset, mode)
            _check_data(dataset, cfg.get('data_help', ''))
            _check_classes(dataset, num_classes, mode)
            check_clips(dataset, cfg, mode)
            check_channels(dataset, cfg, mode)
            check_flips(dataset, mode)


def _check_schedule(cfg: Config) -> None:
    """Warn if the learning rate is annealed over other epochs than there are."""
    epochs = (cfg.get('train_cfg') or {}).get('max_epochs')
    schedulers = cfg.get('param_scheduler') or []
    schedulers = schedulers if isinstance(schedulers, (list, tuple)) else [schedulers]
    last = schedulers[-1] if schedulers else {}
    end = last.get('end')
    if (
        'Annealing' in str(last.get('type'))
        and last.get('by_epoch', True)
        and None not in (end, epochs)
        and end != epochs
    ):
        place = f'param_scheduler.{len(schedulers) - 1}.end'
        text = f'{last["type"]} ends with epoch {end}, the training with epoch {epochs}; {place}={epochs} changes that'
        print_log(text, logger='current', level=logging.WARNING)


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
