"""Training from the command line, with MMAction2's flags."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack

import torch
from mmengine.config import Config

from repflow_mm.apis.checkpoint import check_checkpoint_file
from repflow_mm.apis.command_line import is_first_process, one_line_errors
from repflow_mm.apis.data_errors import one_line_data_errors
from repflow_mm.apis.options import (
    add_common_arguments,
    build_runner,
    leave_process_group,
    load_config,
)
from repflow_mm.engine import CannotResumeError, TrainingStopped


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of ``tools/train.py``."""
    parser = argparse.ArgumentParser(description='Train an action recognizer.')
    parser.add_argument('config', help='config file')
    add_common_arguments(parser)
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='resume from the checkpoint given, or from the latest in the working folder',
    )
    parser.add_argument('--amp', action='store_true', help='train in mixed precision (bfloat16 on a CPU)')
    parser.add_argument('--no-validate', action='store_true', help='do not evaluate during training')
    parser.add_argument('--auto-scale-lr', action='store_true', help='scale the learning rate with the batch size')
    parser.add_argument('--seed', type=int, help='random seed')
    parser.add_argument('--diff-rank-seed', action='store_true', help='give each rank a seed of its own')
    parser.add_argument('--deterministic', action='store_true', help='make cuDNN deterministic')
    return parser.parse_args(argv)


def config_from_args(args: argparse.Namespace) -> Config:
    """The config with the command line's settings merged into it."""
    cfg = load_config(args)
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        (cfg.get('default_hooks', {}).get('checkpoint') or {}).pop('save_best', None)
    if args.amp:
        use_amp(cfg, torch.cuda.is_available())
    if args.resume is not None:
        if args.resume != 'auto':
            check_checkpoint_file(args.resume)
        cfg.resume, cfg.load_from = True, None if args.resume == 'auto' else args.resume
    if args.auto_scale_lr:
        cfg.auto_scale_lr = {**cfg.get('auto_scale_lr', {}), 'enable': True}
    _set_randomness(cfg, args)
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    if args.auto_scale_lr and 'base_batch_size' not in cfg.auto_scale_lr:
        raise ValueError('--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...) in the config')
    return cfg


def use_amp(cfg: Config, on_gpu: bool) -> None:
    """Set a config's training to mixed precision.

    Args:
        cfg (Config): A runner's config, changed in place.
        on_gpu (bool): Whether it trains on a GPU; on a CPU it is bfloat16.

    Raises:
        ValueError: If its optimizer wrapper is of another kind.
    """
    wrapper = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if wrapper not in ('OptimWrapper', 'AmpOptimWrapper', 'CpuAmpOptimWrapper'):
        raise ValueError(f"--amp needs optim_wrapper.type 'OptimWrapper' or 'AmpOptimWrapper', got {wrapper!r}")
    if on_gpu:
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    else:
        cfg.optim_wrapper.type = 'CpuAmpOptimWrapper'


def _set_randomness(cfg: Config, args: argparse.Namespace) -> None:
    """The command line's flags over the config's own settings."""
    randomness = dict(cfg.get('randomness') or {})
    if args.seed is not None:
        randomness['seed'] = args.seed
    randomness.setdefault('seed', None)
    randomness['diff_rank_seed'] = args.diff_rank_seed or randomness.get('diff_rank_seed', False)
    randomness['deterministic'] = args.deterministic or randomness.get('deterministic', False)
    cfg.randomness = randomness


def main(argv: Sequence[str] | None = None) -> None:
    """Train as the command line says."""
    args = parse_args(argv)
    modes = ('train',) if args.no_validate else ('train', 'val')
    with ExitStack() as held:
        with one_line_errors():
            runner = build_runner(config_from_args(args), modes, held)
        try:
            with one_line_data_errors(runner):
                runner.train()
        except TrainingStopped as end:
            say_how_to_go_on(end, sys.argv[1:] if argv is None else argv, args.launcher)
            leave_process_group(end.code)
            raise
        except (CannotResumeError, FloatingPointError, OSError) as error:  # a hook's words: a traceback tells nothing
            with one_line_errors():
                raise error from None
        leave_process_group()


def say_how_to_go_on(end: TrainingStopped, arguments: Sequence[str], launcher: str) -> None:
    """Print where the state of a stopped run is and, as the last line, the command that goes on from there.

    Args:
        end (TrainingStopped): How the run ended.
        arguments (Sequence[str]): The command line after the program's name.
        launcher (str): The launcher. What started it is in the environment variable ``REPFLOW_MM_COMMAND``, which
            the scripts in ``tools/launch`` set.
    """
    if not is_first_process():
        return
    command = f'{sys.argv[0]} {shlex.join(arguments)}' if launcher == 'none' else os.environ.get('REPFLOW_MM_COMMAND')
    if command is None:
        command = "the launcher's command with the flag"
    if '--resume auto' not in command:
        # Of several --resume the last one counts.
        command = f'{command.strip()} --resume auto'
    state = f'its state is in {end.checkpoint}' if end.checkpoint else 'its state is not saved'
    sys.stdout.write(f'stopped by {signal.Signals(end.signum).name}; {state}\nto go on: {command}\n')
    sys.stdout.flush()
