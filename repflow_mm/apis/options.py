"""What training and testing have in common on the command line."""

from __future__ import annotations

import argparse
import logging
import os
import os.path as osp
import sys
from contextlib import ExitStack
from pathlib import Path

import torch
from mmaction.registry import RUNNERS
from mmengine.config import Config, DictAction
from mmengine.runner import CheckpointLoader, Runner

from repflow_mm.apis.built_model import check_model
from repflow_mm.apis.checkpoint import check_checkpoint
from repflow_mm.apis.config_names import check_names, config_errors, read_config, set_num_classes
from repflow_mm.apis.preflight import check_config, check_custom_keys
from repflow_mm.apis.runner import ConciseRunner
from repflow_mm.apis.runner_checks import check_loaders
from repflow_mm.files import check_writable, locked

# The lock of a training in its working folder; a test may run there at the same time.
TRAINING_LOCK = '.training.lock'
# What the launchers tell a process about its place, before the processes have met.
RANK_VARIABLES = {'pytorch': 'RANK', 'slurm': 'SLURM_PROCID', 'mpi': 'OMPI_COMM_WORLD_RANK'}


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that MMAction2's train.py and test.py share."""
    parser.add_argument('--work-dir', help='folder of logs and checkpoints; default: ./work_dirs/<config name>')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='settings of the config to override, as key=value; lists as key="[a,b]" or key=a,b',
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='set by the launcher')


def load_config(args: argparse.Namespace) -> Config:
    """Read ``args.config``; the launcher and the working folder come from the command line where given."""
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = read_config(args.config)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = osp.join('./work_dirs', osp.splitext(osp.basename(args.config))[0])
    return cfg


def build_runner(cfg: Config, modes: tuple[str, ...], held: ExitStack | None = None) -> Runner:
    """The runner of a config, once its data and settings for ``modes`` (``'train'``, ...) have been checked.

    Args:
        cfg (Config): A runner's config.
        modes (tuple[str]): Which of ``'train'``, ``'val'`` and ``'test'`` are going to run.
        held (ExitStack, optional): Takes the lock of the working folder, if the runner is to train. Defaults to None:
            no lock.

    Raises:
        OSError: If the working folder cannot be written, or another training has its lock.
        ValueError: If a name is not registered, a setting is not allowed, there is nothing to do, or the checkpoint is
            of another network.
    """
    check_names(cfg, modes)
    check_config(cfg, modes)
    set_num_classes(cfg, modes)
    if _is_first_process(cfg.launcher):
        _claim_work_dir(Path(cfg.work_dir), held if 'train' in modes else None)
    with config_errors():
        runner = RUNNERS.build(cfg) if 'runner_type' in cfg else ConciseRunner.from_cfg(cfg)
        for mode in modes:
            getattr(runner, f'{mode}_loop')  # which reads the lists and builds the pipelines
    check_model(runner.model, is_trained_anew='train' in modes and not cfg.get('resume'))
    if 'train' in modes:
        check_custom_keys(cfg, runner.model)
    check_loaders(runner, modes)
    if cfg.get('load_from') is not None and cfg.get('resume'):
        # So that it is refused here if it is no plain one; ResumeCheckHook compares it.
        CheckpointLoader.load_checkpoint(cfg.load_from, map_location='cpu')
    elif cfg.get('load_from') is not None:
        check_checkpoint(runner.model, cfg.load_from, with_head=modes == ('test',))
    return runner


def _is_first_process(launcher: str) -> bool:
    return os.environ.get(RANK_VARIABLES.get(launcher, ''), '0') == '0'


def _claim_work_dir(folder: Path, held: ExitStack | None) -> None:
    """See that a working folder can be written to, and keep other trainings out of it as long as ``held`` is open."""
    check_writable(folder, 'working folder')
    if held is not None:
        folder.mkdir(parents=True, exist_ok=True)
        held.enter_context(locked(folder, TRAINING_LOCK))


def leave_process_group(code: int = 0) -> None:
    """End this process's part in a distributed run, once all processes are done.

    Args:
        code (int): Exit code. Defaults to 0.

    NOTE: gloo's threads sometimes abort a process while it is torn down ("terminate called without an active
    exception"), and the launcher then calls a finished run failed. Such a process leaves without a teardown.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return
    torch.distributed.barrier()
    if torch.distributed.get_backend() == 'gloo':
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    torch.distributed.destroy_process_group()
