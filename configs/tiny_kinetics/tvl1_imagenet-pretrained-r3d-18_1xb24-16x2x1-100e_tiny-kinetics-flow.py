# The 3D flow CNN on flow from disk, of neighbouring frames.
_base_ = [
    '../_base_/models/rgb_r3d_18.py',
    '../_base_/datasets/tiny_kinetics_flow_16x112.py',
    '../_base_/schedules/sgd_100e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(in_channels=2, pretrained='https://download.pytorch.org/models/resnet18-f37072fd.pth'),
    data_preprocessor=dict(mean=[127.5, 127.5], std=[127.5, 127.5]),
)
