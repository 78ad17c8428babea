# The narrow ResNet-18 in (2+1)D: R(2+1)D. Our choice: T is kept.
_base_ = './rgb_r3d_18_narrow.py'

model = dict(backbone=dict(type='RepFlowResNet2Plus1d'))
