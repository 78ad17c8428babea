# The 3D RGB network, a quarter as wide.
_base_ = [
    '../_base_/models/rgb_r3d_18_narrow.py',
    '../_base_/datasets/egogestar.py',
    '../_base_/schedules/adamw_egogestar.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(num_segments=16), cls_head=dict(num_classes=10))
