"""Testing from the command line, with MMAction2's flags."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from repflow_mm.apis.checkpoint import checkpoint_of
from repflow_mm.apis.command_line import one_line_errors, one_line_interrupt
from repflow_mm.apis.data_errors import one_line_data_errors
from repflow_mm.apis.options import (
    add_common_arguments,
    build_runner,
    leave_process_group,
    load_config,
)
from repflow_mm.apis.preflight import datasets_of
from repflow_mm.files import check_writable

# The names of samples of videos and of frames, and what PackActionInputs keeps if a config does not say it.
SAMPLE_NAMES = ('filename', 'frame_dir', 'offset')
PACKED_KEYS = ('img_shape', 'img_key', 'video_id', 'timestamp')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of ``tools/test.py``."""
    parser = argparse.ArgumentParser(description='Test an action recognizer.')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file, or the folder of a training, for its newest one')
    add_common_arguments(parser)
    parser.add_argument('--dump', help='.pkl file to write the predictions to')
    parser.add_argument('--show', action='store_true', help='show the predictions in a window')
    parser.add_argument('--show-dir', help='folder to write pictures of the predictions to')
    parser.add_argument('--interval', type=int, default=1, help='show every n-th sample')
    parser.add_argument('--wait-time', type=float, default=2, help='seconds to show a sample')
    return parser.parse_args(argv)


def config_from_args(args: argparse.Namespace) -> Config:
    """The config with the command line's settings merged into it."""
    cfg = load_config(args)
    cfg.load_from = checkpoint_of(args.checkpoint)
    if args.show_dir is not None:
        check_writable(Path(args.show_dir), '--show-dir')
    if args.show or args.show_dir is not None:
        cfg.default_hooks.visualization = dict(
            type='VisualizationHook',
            enable=True,
            show=args.show,
            out_dir=args.show_dir,
            wait_time=args.wait_time,
            interval=args.interval,
        )
    if args.dump is not None:
        _dump_to(cfg, args.dump)
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    return cfg


def _dump_to(cfg: Config, path: str) -> None:
    if not path.endswith(('.pkl', '.pickle')):
        raise ValueError(f'--dump must end in .pkl or .pickle, got {path!r}')
    if os.path.isdir(path):
        raise ValueError(f'--dump must be a file, got the folder {path}')
    check_writable(Path(path), '--dump')
    evaluators = cfg.test_evaluator if isinstance(cfg.test_evaluator, (list, tuple)) else [cfg.test_evaluator]
    cfg.test_evaluator = [*evaluators, dict(type='DumpResults', out_file_path=path)]
    for dataset in datasets_of((cfg.get('test_dataloader') or {}).get('dataset')):
        for step in dataset.get('pipeline', []):
            if step.get('type') == 'PackActionInputs':
                _keep_names(step)


def _keep_names(step: dict) -> None:
    """Let a pipeline's last step keep what the samples are called: the scores of runs are matched by it."""
    kept = step.get('meta_keys', PACKED_KEYS)
    step['meta_keys'] = (*kept, *(name for name in SAMPLE_NAMES if name not in kept))


def main(argv: Sequence[str] | None = None) -> None:
    """Test as the command line says."""
    args = parse_args(argv)
    with one_line_errors():
        runner = build_runner(config_from_args(args), ('test',))
    with one_line_interrupt(), one_line_data_errors(runner):
        runner.test()
    leave_process_group()
