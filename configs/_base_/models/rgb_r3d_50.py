# 3D ResNet-50 in the manner of I3D: every 2D convolution inflated (3x3x3), T halved twice by the stem.
_base_ = './repflow_r50_2plus1d.py'

model = dict(
    backbone=dict(inflate_style='3x3x3', inflate=((1, 1, 1), (1, 1, 1, 1), (1, 1, 1, 1, 1, 1), (1, 1, 1)), flow=None),
)
