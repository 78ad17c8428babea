# The 3D RGB network of the ablations.
_base_ = [
    '../../_base_/models/rgb_r3d_18_narrow.py',
    '../../_base_/datasets/motion_clips_hard.py',
    '../../_base_/schedules/adam_ablation.py',
    '../../_base_/default_runtime.py',
]
