# (2+1)D FcF on Kinetics-400: T goes from 8 to 6.
_base_ = [
    './repflow_imagenet-pretrained-r50-2plus1d_8xb8-32x2x1-60e_kinetics400-rgb.py',
    '../_base_/models/fcf.py',
]

model = dict(backbone=dict(flow={{_base_.fcf}}))
