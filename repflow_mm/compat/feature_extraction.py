"""MMAction2's script of features with the data sets of this package."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

from repflow_mm.compat.patching import replace

SCRIPT = 'clip_feature_extraction.py'
# Where each data set looks for the folder of its videos or frames.
PREFIXES = {'CheckedVideoDataset': 'video', 'CheckedRawframeDataset': 'img'}


def heed_video_root(program: ModuleType | None = None) -> bool:
    """Let ``clip_feature_extraction.py`` heed its ``--video-root`` (mmaction2 ``tools/misc``, no thread).

    Upstream sets the folder for data sets that are called ``VideoDataset`` or ``RawframeDataset`` alone, and passes
    over the flag without a word for others. It reads the config, and with it imports this package, before it uses the
    flag.

    Args:
        program (ModuleType, optional): The program that runs. Defaults to the ``__main__`` of this process.

    Returns:
        bool: Whether the workaround is in place; it is only where the program is that script.
    """
    program = sys.modules['__main__'] if program is None else program
    if Path(getattr(program, '__file__', None) or '').name != SCRIPT or not hasattr(program, 'merge_args'):
        return False
    replace(program, 'merge_args', _with_root_of_any_data_set)
    return True


def _with_root_of_any_data_set(upstream):
    def merge_args(cfg, args):
        root = args.video_root
        cfg = upstream(cfg, args)
        dataset = cfg.test_dataloader.dataset
        if root is not None and dataset.type in PREFIXES:
            dataset.data_prefix = {PREFIXES[dataset.type]: root}
        return cfg

    return merge_args
