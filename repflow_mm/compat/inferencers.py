"""Inferencers that read videos as the config says."""

from __future__ import annotations

import copy

from repflow_mm.compat.patching import replace

# The steps that open and decode a video in configs of this package, by the names they may have there.
OPENING = ('VideoInit', 'CheckedDecordInit')
DECODING = ('VideoDecode', 'CheckedDecordDecode')


def infer_by_the_pipelines_decoder() -> bool:
    """Let inferencers read videos as a test reads them (mmaction2 ``actionrecog_inferencer.py``, no thread).

    Upstream puts decord in the place of what the config names, or before it, so that frames and scores may differ.

    Returns:
        bool: Whether the workaround is in place.
    """
    from mmaction.apis.inferencers import ActionRecogInferencer

    replace(ActionRecogInferencer, '_init_pipeline', _with_own_decoder)
    return True


def _with_own_decoder(upstream):
    def init_pipeline(self, cfg):
        from mmaction.registry import TRANSFORMS

        steps = copy.deepcopy(list(cfg.test_dataloader.dataset.pipeline))
        opening = next((step for step in steps if step['type'] in OPENING), None)
        decoding = next((step for step in steps if step['type'] in DECODING), None)
        if opening is None or decoding is None:
            return upstream(self, cfg)
        # Names that upstream knows, so that it drops or replaces both as the input's format needs it.
        known = {id(opening): 'DecordInit', id(decoding): 'DecordDecode'}
        cfg = copy.deepcopy(cfg)
        cfg.test_dataloader.dataset.pipeline = [
            dict(type=known[id(step)]) if id(step) in known else step for step in steps
        ]
        pipeline = upstream(self, cfg)
        own = {'DecordInit': opening, 'DecordDecode': decoding}
        pipeline.transforms = [
            TRANSFORMS.build(own[type(step).__name__]) if type(step).__name__ in own else step
            for step in pipeline.transforms
        ]
        return pipeline

    return init_pipeline
