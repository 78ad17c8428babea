# The (2+1)D RGB network, a quarter as wide.
_base_ = [
    '../_base_/models/rgb_r2plus1d_18_narrow.py',
    '../_base_/datasets/egogestar.py',
    '../_base_/schedules/adamw_egogestar.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(num_segments=16), cls_head=dict(num_classes=10))
