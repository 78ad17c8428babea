"""Pictures of what a recognizer has seen and said."""

from __future__ import annotations

import torch
from torch import Tensor

from repflow_mm.compat.patching import replace


def draw_recognized_clips() -> bool:
    """Let ``--show-dir`` and the inferencers draw clips with their labels (mmaction2 ``visualization_hook.py``).

    Upstream's hook permutes (C, T, H, W), which no recognizer's pipeline gives, and calls an argument of the visualizer
    by another name. The visualizer asks for ``gt_labels`` and ``pred_labels``, which version 1.2 calls ``gt_label``,
    ``pred_label`` and ``pred_score``, so that the pictures lack them. No thread is known of either.

    Returns:
        bool: Whether the workaround is in place.
    """
    from mmaction.engine.hooks.visualization_hook import VisualizationHook
    from mmaction.visualization import ActionVisualizer

    replace(VisualizationHook, '_draw_samples', _of_first_clips)
    replace(ActionVisualizer, 'add_datasample', _with_labels)
    return True


def _of_first_clips(upstream):
    def draw_samples(self, batch_idx, data_batch, data_samples, step=0):
        if 'show' in self.draw_args:
            self.draw_args['show_frames'] = self.draw_args.pop('show')
        batch = dict(data_batch, inputs=[first_clip(views) for views in data_batch['inputs']])
        return upstream(self, batch_idx, batch, data_samples, step)

    return draw_samples


def first_clip(views: Tensor) -> Tensor:
    """The first clip of a sample as pictures: (M, C, T, H, W) or frames (M*T, C, H, W) to (3, T, H, W).

    Of inputs that are no RGB, such as flow, it is the first channel as grey.
    """
    clip = views[0] if views.ndim == 5 else views.transpose(0, 1)  # (C, T, H, W)
    return clip if clip.shape[0] == 3 else clip[:1].expand(3, *clip.shape[1:])


def _with_labels(upstream):
    def add_datasample(self, name, video, data_sample=None, *args, **kwargs):
        return upstream(self, name, video, _named_as_upstream_reads(data_sample), *args, **kwargs)

    return add_datasample


def _named_as_upstream_reads(data_sample):
    """A data sample with its labels under the names that the visualizer asks for too."""
    from mmengine.structures import BaseDataElement

    if data_sample is None:
        return None
    named = data_sample.clone()
    if 'gt_label' in named and int(torch.as_tensor(named.gt_label).min()) >= 0:  # -1 stands for no label
        named.gt_labels = named.gt_label
    if 'pred_label' in named:
        named.pred_labels = BaseDataElement(item=named.pred_label)
        if isinstance(named.get('pred_score'), Tensor):
            named.pred_labels.score = named.pred_score
    return named
