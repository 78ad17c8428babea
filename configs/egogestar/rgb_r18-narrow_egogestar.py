# The RGB network: ResNet-18, a quarter as wide, on single frames.
_base_ = [
    '../_base_/models/rgb_r18_narrow.py',
    '../_base_/datasets/egogestar.py',
    '../_base_/schedules/adamw_egogestar.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(num_segments=16), cls_head=dict(num_classes=10))
