# 2D flow CNN on HMDB51, split 2: stacks of 10 flows from disk, from ImageNet weights.
_base_ = [
    '../_base_/models/tvl1_stacks_r50.py',
    '../_base_/datasets/hmdb51_split2_flow-stack10_224.py',
    '../_base_/schedules/sgd_60e.py',
    '../_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=51))
