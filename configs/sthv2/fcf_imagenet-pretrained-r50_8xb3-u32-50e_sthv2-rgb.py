# 2D FcF on Something-Something V2, from ImageNet weights.
_base_ = [
    '../_base_/models/repflow_r50.py',
    '../_base_/models/fcf.py',
    '../_base_/datasets/sthv2_u32x224.py',
    '../_base_/schedules/sgd_50e.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(flow={{_base_.fcf}}), cls_head=dict(num_classes=174))
