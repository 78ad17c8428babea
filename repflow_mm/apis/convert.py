"""Conversion of the authors' released weights from the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.runner import CheckpointLoader
from torch import Tensor

from repflow_mm.apis.command_line import one_line_errors
from repflow_mm.apis.scope import scope_of
from repflow_mm.compat.checkpoint_forms import state_dict_of
from repflow_mm.files import check_writable, completed
from repflow_mm.models.convert import Conversion, convert_released_weights, fit_to


def convert_file(
    released: str | Path, out: str | Path, config: str | Path | None = None, prefix: str = ''
) -> Conversion:
    """Convert a file of the authors' weights; the new file loads as ``load_from`` or ``init_cfg`` of a config.

    Args:
        released (str | Path): The authors' file: a state dict, or a dict that has it as ``'state_dict'``.
        out (str | Path): The new file; it appears only when it is complete.
        config (str | Path, optional): Config of the model that is to take them; what does not fit it is left.
            Defaults to None, which writes everything that has a name with us.
        prefix (str): See :func:`convert_released_weights`. Defaults to none.

    Returns:
        Conversion: The weights and the report.

    Raises:
        FileNotFoundError: If a file or the new file's folder does not exist.
        ValueError: If the weights are not of February 2019, hold more than tensors, or nothing fits the model.
    """
    for kind, path in (('weights', released), ('config', config)):
        if path is not None and not Path(path).is_file():
            raise FileNotFoundError(f'{kind} {path} does not exist')
    out = Path(out)
    if not out.parent.is_dir():
        raise FileNotFoundError(f'folder {out.parent} does not exist')
    check_writable(out, 'file')
    content = CheckpointLoader.load_checkpoint(str(released), map_location='cpu')
    conversion = convert_released_weights(state_dict_of(content, str(released)), prefix)
    if config is not None:
        conversion = fit_to(conversion, _model_state(config))
        if not conversion.state_dict:
            raise ValueError(f'nothing of {released} fits the model of {config}')
    with completed(out) as temporary:
        torch.save(dict(state_dict=conversion.state_dict, meta=dict(report=conversion.report())), temporary)
    return conversion


def _model_state(config: str | Path) -> dict[str, Tensor]:
    """State dict of the config's model, without weights from elsewhere."""
    cfg = Config.fromfile(config)
    with scope_of(cfg):
        return MODELS.build(cfg.model).state_dict()


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of ``tools/convert_released_weights.py``."""
    parser = argparse.ArgumentParser(
        description="Convert the authors' weights of February 2019 (their flow layer, or their (2+1)D network with "
        'flow of flow) to our names, and say what was mapped and what was left.'
    )
    parser.add_argument('weights', help="the authors' file")
    parser.add_argument('out', help='file to write, .pth')
    parser.add_argument('--config', help='config of the model that is to take them')
    parser.add_argument(
        '--prefix', default='', help="for a lone layer: where it goes, e.g. 'backbone.flow_blocks.block3.steps.flow0.'"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Convert as the command line says."""
    args = parse_args(argv)
    with one_line_errors():
        conversion = convert_file(args.weights, args.out, args.config, args.prefix)
    sys.stdout.write('\n'.join([*conversion.report(), f'{args.out}: written']) + '\n')
