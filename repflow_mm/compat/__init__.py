"""Each breakage of upstream that is worked around: one function each, which does nothing where upstream is whole."""

from __future__ import annotations

import functools

from repflow_mm.compat.batches import tell_of_padded_clips
from repflow_mm.compat.checkpoint_files import (
    find_usable_checkpoints,
    remove_own_checkpoints_alone,
    write_checkpoints_whole,
)
from repflow_mm.compat.checkpoint_forms import give_runners_a_state_dict
from repflow_mm.compat.checkpointing import checkpoint_basic_blocks, checkpoint_without_traces
from repflow_mm.compat.checkpoints import load_checkpoints_safely
from repflow_mm.compat.config_paths import find_configs_of_fork, find_own_configs, find_own_models
from repflow_mm.compat.config_text import format_config_text_once, read_config_text_as_data
from repflow_mm.compat.distributed import run_distributed_on_cpu
from repflow_mm.compat.feature_extraction import heed_video_root
from repflow_mm.compat.gradcam import show_layers_of_folded_frames
from repflow_mm.compat.heads import accept_bfloat16_scores
from repflow_mm.compat.inferencers import infer_by_the_pipelines_decoder, refuse_videos_where_frames_are_read
from repflow_mm.compat.metrics import average_over_classes_that_occur
from repflow_mm.compat.missing_modules import add_missing_drn, leave_out_multimodal, silence_missing_mmcv_ops
from repflow_mm.compat.optimizers import group_parameters_in_plain_dicts
from repflow_mm.compat.recognizers import divide_views_of_any_batch
from repflow_mm.compat.versions import check_versions, installed_versions, version_problems
from repflow_mm.compat.visualization import draw_recognized_clips

__all__ = ['apply_workarounds', 'check_versions', 'installed_versions', 'prepare_upstream', 'version_problems']

WORKAROUNDS = {
    'mmaction2#2714: the wheel lacks mmaction.models.localizers.drn': add_missing_drn,
    'mmaction2: its retrieval models fail with new versions of transformers': leave_out_multimodal,
    'mmcv#3035, #3263: no wheels of full mmcv, and mmcv-lite warns': silence_missing_mmcv_ops,
    'mmengine#1655, #1650: checkpoints do not load on torch >= 2.6': load_checkpoints_safely,
    'mmengine: hooks fail on files that are a state dict themselves': give_runners_a_state_dict,
    'mmengine: the config in a checkpoint is run': read_config_text_as_data,
    'mmengine: the config is formatted anew for every checkpoint': format_config_text_once,
    'mmengine: checkpoints are rewritten in place': write_checkpoints_whole,
    'mmengine: a damaged last checkpoint is resumed from': find_usable_checkpoints,
    'mmengine: a resumed run removes the files that its checkpoint names': remove_own_checkpoints_alone,
    'mmaction2, mmengine: activation checkpointing moves running statistics twice': checkpoint_without_traces,
    'mmaction2: basic blocks do not checkpoint activations': checkpoint_basic_blocks,
    'mmengine: distributed launchers need CUDA': run_distributed_on_cpu,
    'mmaction2: no head trains on bfloat16 scores': accept_bfloat16_scores,
    'mmaction2: --show-dir draws neither clips nor labels': draw_recognized_clips,
    'mmaction2: clips of different sizes are padded without a word': tell_of_padded_clips,
    'mmaction2: acc/mean1 counts classes without a sample': average_over_classes_that_occur,
    'mmaction2: max_testing_views takes batches of one alone': divide_views_of_any_batch,
    'mmaction2: Grad-CAM fails on layers that see single frames': show_layers_of_folded_frames,
    'mmaction2: inferencers read videos with decord, whatever the config names': infer_by_the_pipelines_decoder,
    'mmaction2: pipelines of frames fail with a KeyError on a video': refuse_videos_where_frames_are_read,
    'mmaction2: clip_feature_extraction.py heeds --video-root for its own data sets alone': heed_video_root,
    'mmengine: _base_ takes configs of known packages alone': find_own_configs,
    'mmengine: mmaction:: is looked for in the distribution mmaction2 alone': find_configs_of_fork,
    'mmengine: inferencers know models of known packages alone': find_own_models,
    'mmengine: compile=True fails with paramwise_cfg': group_parameters_in_plain_dicts,
}


def apply_workarounds() -> dict[str, bool]:
    """Put every workaround in place that is needed; returns for each whether it was."""
    return {breakage: workaround() for breakage, workaround in WORKAROUNDS.items()}


@functools.cache
def prepare_upstream() -> None:
    """Check upstream's versions and put the workarounds in place; in each process the first call does it.

    Every package that imports something of MMAction2, MMEngine or MMCV calls this before.

    Raises:
        ImportError: If one of them is missing or has a version that is not supported.
    """
    check_versions()
    apply_workarounds()
