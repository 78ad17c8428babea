# 3D ResNet-18 (3x3x3) for 16x112x112 clips. Our choice: T is halved by layer2, layer3 and layer4, not by pooling.
_base_ = './rgb_r34.py'

model = dict(
    backbone=dict(type='RepFlowResNet3d', depth=18, with_pool2=False, temporal_strides=(1, 2, 2, 2)),
)
