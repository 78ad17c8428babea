# X3D, as wide as the other networks.
_base_ = [
    '../_base_/models/x3d_narrow.py',
    '../_base_/datasets/egogestar.py',
    '../_base_/schedules/adamw_egogestar.py',
    '../_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=10))
