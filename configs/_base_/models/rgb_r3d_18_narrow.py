# The narrow ResNet-18 in 3D (3x3x3). Our choice: T is kept.
_base_ = './rgb_r18_narrow.py'

model = dict(backbone=dict(inflate=(1, 1, 1, 1), conv1_kernel=(3, 7, 7)))
