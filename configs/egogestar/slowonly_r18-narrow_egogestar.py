# SlowOnly, a quarter as wide.
_base_ = [
    '../_base_/models/slowonly_r18_narrow.py',
    '../_base_/datasets/egogestar.py',
    '../_base_/schedules/adamw_egogestar.py',
    '../_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=10))
