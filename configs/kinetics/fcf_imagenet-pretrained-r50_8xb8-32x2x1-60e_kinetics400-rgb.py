# 2D FcF on Kinetics-400.
_base_ = [
    '../_base_/models/repflow_r50.py',
    '../_base_/models/fcf.py',
    '../_base_/datasets/kinetics400_32x224.py',
    '../_base_/schedules/sgd_60e_8xb8.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(flow={{_base_.fcf}}))
