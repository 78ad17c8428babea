# The (2+1)D flow CNN on flow from disk, of neighbouring frames.
_base_ = [
    '../_base_/models/rgb_r2plus1d_18.py',
    '../_base_/datasets/tiny_kinetics_flow_16x112.py',
    '../_base_/schedules/sgd_100e.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(in_channels=2), data_preprocessor=dict(mean=[127.5, 127.5], std=[127.5, 127.5]))
