# 2D flow CNN on HMDB51: stacks of 10 flows from disk, from ImageNet weights.
_base_ = [
    '../_base_/models/tvl1_stacks_r50.py',
    '../_base_/datasets/hmdb51_flow-stack10_224.py',
    '../_base_/schedules/sgd_60e.py',
    '../_base_/default_runtime.py',
]

work_dir = './work_dirs/{{fileBasenameNoExtension}}/split{{$HMDB51_SPLIT:1}}'
model = dict(cls_head=dict(num_classes=51))
