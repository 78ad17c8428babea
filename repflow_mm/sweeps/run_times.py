"""How long the recognizers of configs take for a video."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from repflow_mm.testing.timing import seconds_of


def seconds_a_video(
    configs: dict[str, Config], repeats: int = 5, device: str = 'cpu', progress: str | None = None
) -> dict[str, float]:
    """Time each config's recognizer on the first video of its test set, the configs in turn.

    What is timed is ``test_step`` on decoded frames: the data preprocessor, with TV-L1 flow where it computes that, the
    backbone and the head, for all views of the video. Weights are random.

    Args:
        configs (dict[str, Config]): The configs, under the names of their networks.
        repeats (int): Measurements of each. Defaults to 5.
        device (str): Where to run. Defaults to ``'cpu'``.
        progress (str, optional): Title of a progress bar. Defaults to None, which shows none.

    Returns:
        dict[str, float]: Shortest time of each, in seconds.

    Raises:
        FileNotFoundError: If a test set or its first video does not exist.
    """
    calls = {config: _test_step(cfg, device) for config, cfg in configs.items()}
    return {config: min(seconds) for config, seconds in seconds_of(calls, repeats, device, progress).items()}


def _test_step(cfg: Config, device: str) -> Callable[[], Sequence]:
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).to(device).eval()
    sample = DATASETS.build(cfg.test_dataloader.dataset)[0]

    def test_step():
        with torch.no_grad():
            return model.test_step(pseudo_collate([sample]))

    return test_step
