# 2D RepFlow on HMDB51, from ImageNet weights.
_base_ = [
    '../_base_/models/repflow_r50.py',
    '../_base_/datasets/hmdb51_32x224.py',
    '../_base_/schedules/sgd_60e.py',
    '../_base_/default_runtime.py',
]

work_dir = './work_dirs/{{fileBasenameNoExtension}}/split{{$HMDB51_SPLIT:1}}'
model = dict(cls_head=dict(num_classes=51))
