"""Profiling from the command line: what a config costs, and what holds its training up."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config, DictAction
from mmengine.dataset import pseudo_collate
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.runner import Runner
from mmengine.utils.dl_utils import set_multi_processing
from torch import nn
from torch.utils.data import DataLoader

from repflow_mm.apis.command_line import one_line_errors
from repflow_mm.apis.config_names import check_names, config_errors, read_config, set_num_classes
from repflow_mm.apis.preflight import check_config, datasets_of
from repflow_mm.apis.scope import scope_of
from repflow_mm.apis.train import use_amp
from repflow_mm.engine.hooks.bad_data_hook import parts_with
from repflow_mm.files import check_writable, write_json
from repflow_mm.hardware import hardware
from repflow_mm.profiling.advice import Settings, advise, step_shares
from repflow_mm.profiling.loading import profile_pipeline
from repflow_mm.profiling.memory import profile_memory
from repflow_mm.profiling.network import profile_network
from repflow_mm.profiling.rendered_data import rendered_dataset
from repflow_mm.profiling.report import Report
from repflow_mm.profiling.training import profile_loading, profile_step


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of ``tools/profile_model.py``."""
    parser = argparse.ArgumentParser(description="Say what a config's network costs and what its training waits for.")
    parser.add_argument('config', help='config file')
    parser.add_argument('--device', help='cpu, cuda, ...; default: a GPU if there is one')
    parser.add_argument('--repeats', type=int, default=5, help='passes and steps that are timed (default: 5)')
    parser.add_argument('--amp', action='store_true', help='train in mixed precision (bfloat16 on a CPU)')
    parser.add_argument('--size', type=int, default=64, help='side of rendered frames, where the data are missing (64)')
    parser.add_argument('--json', type=Path, help='file of all figures, in seconds and bytes')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='settings of the config to override, as key=value'
    )
    args = parser.parse_args(argv)
    if args.repeats < 1:
        parser.error(f'--repeats must be >= 1, got {args.repeats}')
    return args


@dataclass(frozen=True)
class Training:
    """What trains, built as a config says, without a runner: nothing is logged or written.

    Attributes:
        cfg: The config.
        model: The recognizer, on its device.
        optimizer: Its optimizer.
        loader: Its data; None where they are not there.
        no_data: Why there is no loader, or ''.
    """

    cfg: Config
    model: nn.Module
    optimizer: OptimWrapper
    loader: DataLoader | None
    no_data: str


def load_config(args: argparse.Namespace, device: str) -> Config:
    """The config with the command line's settings, for a training on a device.

    Raises:
        FileNotFoundError, ValueError: If it cannot be read, or is of no training.
    """
    cfg = read_config(args.config)
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    for part in ('train_dataloader', 'optim_wrapper'):
        if cfg.get(part) is None:
            raise ValueError(f'config {args.config} has no {part}: a profile is that of a training')
    if 'backbone' not in (cfg.get('model') or {}):
        raise ValueError(f'config {args.config} has no model.backbone: a profile is that of a recognizer')
    if args.amp:
        use_amp(cfg, on_gpu=torch.device(device).type == 'cuda')
    return cfg


def build_training(cfg: Config, device: str) -> Training:
    """Build the network, optimizer and loader of a config; weights are random ones, ``pretrained`` is not loaded.

    Raises:
        ValueError: If the config is wrong; see :func:`repflow_mm.apis.preflight.check_config`.
    """
    check_names(cfg, ('train',))
    no_data = _missing_data(cfg)
    set_multi_processing(**(cfg.get('env_cfg') or {}).get('mp_cfg') or {}, distributed=False)
    torch.backends.cudnn.benchmark = bool((cfg.get('env_cfg') or {}).get('cudnn_benchmark', False))
    with config_errors():
        if not no_data:
            set_num_classes(cfg, ('train',))
        model = MODELS.build(cfg.model).to(device)
        optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
        loader = None if no_data else _loader(cfg)
    return Training(cfg, model, optimizer, loader, no_data)


def _loader(cfg: Config) -> DataLoader:
    """The training's data; of a broken sample another one takes the place, as in a training."""
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    if not len(loader):
        raise ValueError(f'train_dataloader has nothing to do: {len(loader.dataset)} samples make no batch')
    for part in parts_with('tolerate_bad_data', loader.dataset):
        part.tolerate_bad_data()
    return loader


def _missing_data(cfg: Config) -> str:
    """What is missing of the data, or ''."""
    try:
        check_config(cfg, ('train',))
    except FileNotFoundError as error:
        return str(error)
    return ''


def first_batch(training: Training, size: int) -> dict:
    """A batch of the loader; without data one of copies of a rendered clip, through the same pipeline."""
    if training.loader is not None:
        return next(iter(training.loader))
    loader = training.cfg.train_dataloader
    with tempfile.TemporaryDirectory() as folder, config_errors():
        dataset = next(datasets_of(loader.dataset))
        sample = DATASETS.build(rendered_dataset(dataset, Path(folder), size))[0]
    return pseudo_collate([sample] * loader.batch_size)


def profile_training(training: Training, config: str, device: str, repeats: int, size: int = 64) -> Report:
    """Measure everything about a training.

    Args:
        training (Training): What trains; its network is trained some steps.
        config (str): What the report calls it.
        device (str): Where the network is.
        repeats (int): Passes and steps that are timed.
        size (int): Side of the rendered frames, where the data are missing. Defaults to 64.
    """
    model, optimizer, loader = training.model, training.optimizer, training.loader
    batch = first_batch(training, size)
    network = profile_network(model, batch, repeats)
    step = profile_step(model, optimizer, batch, repeats)
    memory = profile_memory(model, optimizer, batch)
    loaded = profile_loading(model, optimizer, loader, repeats) if loader else None
    pipeline = profile_pipeline(loader.dataset, max(repeats, network.batch_size)) if loader else None
    shares = step_shares(step, loaded)
    advice = advise(next(iter(shares)), _settings(training, device), model, network, pipeline)
    where = hardware(device)
    return Report(config, where, network, memory, step, loaded, pipeline, training.no_data, shares, advice)


def _settings(training: Training, device: str) -> Settings:
    loader = training.cfg.train_dataloader
    return Settings(
        num_workers=loader.get('num_workers', 0),
        persistent_workers=loader.get('persistent_workers', False),
        cores=len(os.sched_getaffinity(0)),
        device=torch.device(device).type,
        is_mixed='Amp' in type(training.optimizer).__name__,
        is_compiled=bool(training.cfg.get('compile', False)),
    )


def checked_device(name: str | None) -> str:
    """The device of that name, or a GPU if there is one.

    Raises:
        ValueError: If there is no such device.
    """
    if name is None:
        return 'cuda' if torch.cuda.is_available() else 'cpu'
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device must be 'cpu' or one that torch can use here, got {name!r}: {reason}") from None
    return name


def main(argv: Sequence[str] | None = None) -> None:
    """Profile as the command line says."""
    args = parse_args(argv)
    with one_line_errors():
        device = checked_device(args.device)
        if args.json is not None:
            check_writable(args.json, 'file')
        cfg = load_config(args, device)
        with scope_of(cfg):
            training = build_training(cfg, device)
            report = profile_training(training, args.config, device, args.repeats, args.size)
        if args.json is not None:
            args.json.parent.mkdir(parents=True, exist_ok=True)
            write_json(args.json, report.as_json())
    sys.stdout.write(f'{report.as_text()}\n')
