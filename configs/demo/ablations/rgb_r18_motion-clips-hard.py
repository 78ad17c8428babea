# The RGB network of the ablations: the demo's.
_base_ = [
    '../../_base_/models/rgb_r18_demo.py',
    '../../_base_/datasets/motion_clips_hard.py',
    '../../_base_/schedules/adam_ablation.py',
    '../../_base_/default_runtime.py',
]

model = dict(backbone=dict(num_segments=12), cls_head=dict(num_classes=16))
