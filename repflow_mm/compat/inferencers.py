"""Inference that reads videos as the config says, and says so where the config reads something else."""

from __future__ import annotations

import copy

from repflow_mm.compat.patching import replace

# The steps that open and decode a video in configs of this package, by the names they may have there.
OPENING = ('VideoInit', 'CheckedDecordInit')
DECODING = ('VideoDecode', 'CheckedDecordDecode')
# All of upstream's samplers of frames.
ALL_SAMPLERS = ('SampleFrames', 'DenseSampleFrames', 'UniformSample', 'UniformSampleFrames', 'UntrimmedSampleFrames')
ADVICE = (
    'extract_flow writes the flow of videos, which a list of CheckedRawframeDataset names; configs with ComputeFlow or '
    'FlowDataPreprocessor take videos'
)


def infer_by_the_pipelines_decoder() -> bool:
    """Let inferencers read videos as a test reads them (mmaction2 ``actionrecog_inferencer.py``, no thread).

    Upstream puts decord in the place of what the config names, or before it, so that frames and scores may differ.

    Returns:
        bool: Whether the workaround is in place.
    """
    from mmaction.apis.inferencers import ActionRecogInferencer

    replace(ActionRecogInferencer, '_init_pipeline', _with_own_decoder)
    return True


def refuse_videos_where_frames_are_read() -> bool:
    """Let pipelines of frames say what they take when they are given a video (mmaction2 ``loading.py``, no thread).

    Upstream's samplers, and with them ``inference_recognizer``, fail with KeyError: 'total_frames', as no step has
    opened the video.

    Returns:
        bool: Whether the workaround is in place.
    """
    from mmaction.datasets import transforms

    for name in ALL_SAMPLERS:
        replace(getattr(transforms, name), 'transform', _with_a_look_at_the_sample)
    return True


def _with_a_look_at_the_sample(upstream):
    def transform(self, results):
        if 'total_frames' not in results and 'filename' in results:
            raise ValueError(
                f'{results["filename"]} is given as a video, but the pipeline reads folders of frames or of flow: no '
                f'step before {type(self).__name__} opens a video. {ADVICE}'
            )
        return upstream(self, results)

    return transform


def _with_own_decoder(upstream):
    def init_pipeline(self, cfg):
        from mmaction.registry import TRANSFORMS

        if self.input_format == 'video' and cfg.test_dataloader.dataset.get('modality') == 'Flow':
            raise ValueError(f'the config takes flow from the disk, and cannot take videos. {ADVICE}')
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
