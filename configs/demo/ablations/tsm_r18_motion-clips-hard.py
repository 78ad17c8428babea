# TSM.
_base_ = [
    '../../_base_/models/tsm_r18_narrow.py',
    '../../_base_/datasets/motion_clips_hard_folded.py',
    '../../_base_/schedules/adam_ablation.py',
    '../../_base_/default_runtime.py',
]
