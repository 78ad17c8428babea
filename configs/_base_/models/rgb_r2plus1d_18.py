# (2+1)D ResNet-18 for 16x112x112 clips. Our choice: R(2+1)D, as the authors' 3x1x1 is a layout of bottlenecks, which
# ResNet-18 does not have; T is halved as in the 3D network.
_base_ = './rgb_r34.py'

model = dict(backbone=dict(type='RepFlowResNet2Plus1d', depth=18, temporal_strides=(1, 2, 2, 2)))
