# The RGB network: ResNet-18, a quarter as wide, on single frames, from scratch.
_base_ = [
    '../_base_/models/rgb_r18_narrow.py',
    '../_base_/datasets/kth_16x84.py',
    '../_base_/schedules/adamw_kth.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(num_segments=16), cls_head=dict(num_classes=6))
