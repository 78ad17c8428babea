"""Publishing of a checkpoint: weights and config, without the state of the training."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.runner import CheckpointLoader
from torch import Tensor

from repflow_mm.apis.command_line import one_line_errors
from repflow_mm.files import check_writable, sha256_of

WEIGHTS = ('state_dict', 'ema_state_dict')


def publish_model(checkpoint: str | Path, out: str | Path | None = None, config: str | Path | None = None) -> Path:
    """Write a checkpoint for others: it loads with ``torch.load(..., weights_only=True)`` and says what made it.

    Kept are the weights (``state_dict``; with an EMAHook that is the average, and ``ema_state_dict`` stays beside
    it), on the CPU, and in ``meta`` the config's text, versions, epoch, iteration and data set's names, as plain data.

    Args:
        checkpoint (str | Path): A Runner's checkpoint. It is loaded without running code that it may carry.
        out (str | Path, optional): Folder of the new file. Defaults to the checkpoint's.
        config (str | Path, optional): The config. Defaults to the one whose text is in the checkpoint.

    Returns:
        Path: The new file, ``<config's name>-<first 8 digits of its SHA-256>.pth``.

    Raises:
        FileNotFoundError: If the checkpoint or the config does not exist.
        ValueError: If the checkpoint holds more than plain data, is damaged, has no weights, or does not tell its
            config and none is given.
    """
    for kind, path in (('checkpoint', checkpoint), ('config', config)):
        if path is not None and not Path(path).is_file():
            raise FileNotFoundError(f'{kind} {path} does not exist')
    out = Path(checkpoint).parent if out is None else Path(out)
    check_writable(out, 'folder')
    content = CheckpointLoader.load_checkpoint(str(checkpoint), map_location='cpu')
    if not isinstance(content, dict) or not isinstance(content.get('state_dict'), dict):
        keys = list(content)[:5] if isinstance(content, dict) else type(content).__name__
        raise ValueError(f"checkpoint {checkpoint} has no 'state_dict', so it is no Runner's; found {keys}")
    meta = content.get('meta') or {}
    if not isinstance(meta, dict):
        raise ValueError(f"checkpoint {checkpoint}: 'meta' must be a dict, got {type(meta).__name__}")
    name, text = _config_of(checkpoint, meta, config)
    published = {key: _compact(content[key]) for key in WEIGHTS if key in content}
    published['meta'] = {**(_plain(meta) or {}), 'cfg': text, 'config_name': name}
    out.mkdir(parents=True, exist_ok=True)
    return _write(published, out, name)


def _config_of(checkpoint: str | Path, meta: dict, config: str | Path | None) -> tuple[str, str]:
    """Name and text of the config."""
    if config is not None:
        return Path(config).stem, Config.fromfile(config).pretty_text
    # The Runner names an experiment after its config and the time of its start. A foreign checkpoint may hold any text:
    # of that only what can be no folder.
    experiment = os.path.basename(str(meta.get('experiment_name', '')))
    name, count = re.subn(r'_\d{8}_\d{6}$', '', experiment)
    if not count or not name or not isinstance(meta.get('cfg'), str):
        raise ValueError(f'checkpoint {checkpoint} does not tell its config: give it with --config')
    return name, meta['cfg']


def _compact(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors without a larger storage behind them, in a plain dict."""
    return {name: value.clone() if isinstance(value, Tensor) else value for name, value in weights.items()}


def _plain(value: Any) -> Any:
    """The part of ``value`` that is text, numbers and containers of them; None for the rest."""
    if isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if isinstance(key, (str, int))}
    return None


def _write(content: dict, out: Path, name: str) -> Path:
    """Write, prove that it loads, and put it under its name."""
    temporary = out / f'.{name}.{os.getpid()}.tmp'
    try:
        # Through a file object: given a path, torch writes its name into the file, and the hash would follow it.
        with open(temporary, 'wb') as file:
            torch.save(content, file)
        torch.load(temporary, map_location='cpu', weights_only=True)
        path = out / f'{name}-{sha256_of(temporary)[:8]}.pth'
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of ``tools/publish_model.py``."""
    parser = argparse.ArgumentParser(
        description='Write a checkpoint for others: weights and config, named after the config and a hash, without '
        "the training's state; it loads with torch.load(..., weights_only=True)."
    )
    parser.add_argument('checkpoint', help="a Runner's checkpoint")
    parser.add_argument('--out', help="folder of the new file; default: the checkpoint's")
    parser.add_argument('--config', help='config file; default: the config in the checkpoint')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Publish as the command line says."""
    args = parse_args(argv)
    with one_line_errors():
        path = publish_model(args.checkpoint, args.out, args.config)
    sys.stdout.write(f'{path} ({path.stat().st_size / 2**20:.1f} MiB)\n')
