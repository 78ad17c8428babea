"""A recognizer with its weights, and clips of videos as its config's test pipeline gives them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmaction.apis import init_recognizer
from mmaction.registry import TRANSFORMS
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.runner import load_checkpoint
from torch import Tensor, nn

from repflow_mm.apis.checkpoint import check_checkpoint
from repflow_mm.apis.config_names import config_errors, read_config
from repflow_mm.apis.scope import scope_of
from repflow_mm.datasets.lists.class_names import class_names_beside, read_class_names
from repflow_mm.resources import config_of


@dataclass(frozen=True)
class Recognizer:
    """A recognizer in evaluation mode, its config and its classes' names.

    Args:
        model (nn.Module): MMAction2's recognizer.
        cfg (Config): Its config.
        classes (Sequence[str]): Names of the classes, in the order of their labels.
    """

    model: nn.Module
    cfg: Config
    classes: Sequence[str]

    @property
    def dataset(self) -> dict:
        """The config of the data set of the test."""
        return self.cfg.test_dataloader.dataset

    def pipeline(self, change: Callable[[list[dict]], list] | None = None) -> Compose:
        """The test pipeline, in the scope of the config whatever scope is set; ``change`` alters its steps before."""
        steps = [dict(step) for step in self.dataset.pipeline]
        steps = steps if change is None else change(steps)
        with scope_of(self.cfg):
            return Compose([TRANSFORMS.build(step) if isinstance(step, dict) else step for step in steps])

    def sample(self, **content: Any) -> dict:
        """What the pipeline takes of a video: its ``filename``, or its frames as ``array`` with ``total_frames``."""
        return dict(content, label=-1, start_index=self.dataset.get('start_index', 0), modality='RGB')

    def scores(self, samples: Sequence[dict]) -> Tensor:
        """Scores (N, classes) of samples that have been through a pipeline and are of one shape."""
        with torch.no_grad():
            results = self.model.test_step(pseudo_collate(samples))
        return torch.stack([result.pred_score for result in results]).cpu()

    def features(self, samples: Sequence[dict]) -> Tensor:
        """The backbone's output for the views of samples: (N*M, C, T, H, W), or (N*M*T, C, H, W) of a 2D recognizer."""
        with torch.no_grad():
            batch = self.model.data_preprocessor(pseudo_collate(samples), training=False)
            features, _ = self.model.extract_feat(batch['inputs'], stage='backbone')
        return features.cpu()


def load_recognizer(
    config: str | Path | Config,
    checkpoint: str | Path | None = None,
    device: str | None = None,
    class_names: str | Path | None = None,
) -> Recognizer:
    """Build a recognizer and load its weights.

    Args:
        config (str | Path | Config): The config, or its file.
        checkpoint (str | Path, optional): Its weights. Defaults to None, which leaves it as it is initialised.
        device (str, optional): Defaults to a GPU if there is one.
        class_names (str | Path, optional): A file with the classes' names, one a line. Defaults to numbers, or those of
            the file beside the config's list, see
            :func:`repflow_mm.datasets.lists.class_names.class_names_beside`.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If the checkpoint is of another architecture, is damaged, or the classes are not as many as the
            head has.
    """
    cfg = config if isinstance(config, Config) else read_config(str(config))
    classes = _class_names(cfg, class_names)
    device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
    with scope_of(cfg):
        with config_errors():
            model = init_recognizer(cfg, None, device)
        if checkpoint is not None:
            check_checkpoint(model, str(checkpoint), with_head=True)
            load_checkpoint(model, str(checkpoint), map_location='cpu', logger='silent')
    return Recognizer(model.eval(), cfg, classes)


def _class_names(cfg: Config, path: str | Path | None) -> list[str]:
    """Names from a file; without one from the file beside the list of the test, or the classes' numbers."""
    number = cfg.model.cls_head.num_classes
    listed = (cfg.get('test_dataloader') or {}).get('dataset', {}).get('ann_file') or ''
    if path is None:
        names = class_names_beside(listed)
        return names if len(names) == number else [str(label) for label in range(number)]
    names = read_class_names(path)
    if len(names) != number:
        raise ValueError(f'{path} has {len(names)} names of classes, but the head has {number} classes')
    return names


def get_model(name: str, pretrained: str | Path | None = None, device: str = 'cpu') -> nn.Module:
    """Build a recognizer by its name; ``repflow_mm.get_model``.

    Args:
        name (str): One of ``repflow_mm.list_models()``, or a config file.
        pretrained (str | Path, optional): Checkpoint of its weights. Defaults to None: as it is initialised, without
            the ``pretrained`` weights of its config.
        device (str): Defaults to ``'cpu'``.

    Returns:
        nn.Module: MMAction2's recognizer, in evaluation mode; ``cfg`` is its config.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If no model has this name, or the checkpoint is of another one.

    Example:
        >>> model = repflow_mm.get_model('repflow_r50_kinetics', pretrained='epoch_60.pth')
    """
    return load_recognizer(name if name.endswith('.py') else config_of(name), pretrained, device).model
