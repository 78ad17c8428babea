# X3D.
_base_ = [
    '../../_base_/models/x3d_narrow.py',
    '../../_base_/datasets/motion_clips_hard.py',
    '../../_base_/schedules/adam_ablation.py',
    '../../_base_/default_runtime.py',
]
