# (2+1)D FcF on Kinetics-400, with the authors' block: T goes from 8 to 6.
_base_ = './repflow_imagenet-pretrained-r50-2plus1d_8xb8-32x2x1-60e_kinetics400-rgb.py'

model = dict(
    backbone=dict(
        flow=dict(steps=('flow', 'conv', 'flow'), expand_kernel_size=3, fusion='add', zero_init_norm=True),
    ),
)
