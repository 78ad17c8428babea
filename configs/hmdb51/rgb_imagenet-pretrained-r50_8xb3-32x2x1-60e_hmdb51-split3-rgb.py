# 2D RGB on HMDB51, split 3, from ImageNet weights. Our choice: the schedule of the flow networks.
_base_ = [
    '../_base_/models/repflow_r50.py',
    '../_base_/datasets/hmdb51_split3_32x224.py',
    '../_base_/schedules/sgd_60e.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(flow=None), cls_head=dict(num_classes=51))
