"""What training and testing have in common on the command line."""

from __future__ import annotations

import argparse
import logging
import os
import os.path as osp
import sys

import torch
from mmaction.registry import RUNNERS
from mmengine.config import Config, DictAction
from mmengine.runner import Runner

from repflow_mm.apis.checkpoint import check_checkpoint
from repflow_mm.apis.preflight import check_config, check_custom_keys


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
    if not osp.isfile(args.config):
        raise FileNotFoundError(f'config {args.config} does not exist')
    try:
        cfg = Config.fromfile(args.config)
    except SyntaxError as error:
        raise ValueError(f'config {args.config} cannot be read: {error}') from error
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = osp.join('./work_dirs', osp.splitext(osp.basename(args.config))[0])
    return cfg


def build_runner(cfg: Config, modes: tuple[str, ...]) -> Runner:
    """The runner of a config, once its data and settings for ``modes`` (``'train'``, ...) have been checked."""
    check_config(cfg, modes)
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    if 'train' in modes:
        check_custom_keys(cfg, runner.model)
    if cfg.get('load_from') is not None:
        check_checkpoint(runner.model, cfg.load_from, with_head=modes == ('test',))
    return runner


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
