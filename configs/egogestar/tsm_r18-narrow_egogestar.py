# TSM, a quarter as wide.
_base_ = [
    '../_base_/models/tsm_r18_narrow.py',
    '../_base_/datasets/egogestar_folded.py',
    '../_base_/schedules/adamw_egogestar.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(backbone=dict(num_segments=16)), cls_head=dict(num_classes=10, num_segments=16))
